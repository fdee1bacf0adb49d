"""A stand-in for the Hugging Face Hub on this machine: as much of its HTTP API as publishing and downloading use.

Dataset repositories with commits, branches, tags, files by LFS (basic transfer) and by commit, and faults on demand.
No Xet: run clients with `HF_HUB_DISABLE_XET=1`. `python tests/hub_stand_in.py FOLDER` serves in a process of its own.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import struct
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_stand_in"
_REGULAR = (".md", ".json", ".yaml", "SHA256SUMS", "LICENSE")  # as .gitattributes of a dataset repository: no LFS
_PAGE = 40


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose `METHOD path` matches.

    Kinds: `drop` (the connection closes half-way), `reset` (it is reset half-way), `short` (half of the file as if it
    were whole), `flip` (one bit is other), `late` (the answer is lost after the work was done), or a status.
    """

    match: str
    kind: str
    times: int = 1
    retry_after: int | None = None


@dataclass
class Repository:
    """Files by commit (path to oid), and what branches and tags point to."""

    commits: dict[str, dict[str, str]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def resolve(self, revision: str) -> str | None:
        """Return the commit of a branch, a tag or a commit."""
        found = self.refs.get(revision) or self.tags.get(revision) or revision
        return found if found in self.commits else None

    def commit(self, files: dict[str, str]) -> str:
        """Add a commit to main."""
        seed = json.dumps([sorted(files.items()), len(self.commits)])
        oid = hashlib.sha1(seed.encode()).hexdigest()
        self.commits[oid] = files
        self.refs["main"] = oid
        return oid


class StandIn(ThreadingHTTPServer):
    """The server; `url` is what goes into HF_ENDPOINT."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path, *, check: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.check = folder, check
        self.repositories: dict[str, Repository] = {}
        self.faults: list[Fault] = []
        self.log: list[str] = []
        self.lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """Address without a slash at its end."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> "StandIn":
        """Serve in a thread."""
        threading.Thread(target=lambda: self.serve_forever(poll_interval=0.02), daemon=True).start()
        return self

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""

    def put(self, content: bytes) -> str:
        """Keep some bytes and return their oid."""
        oid = hashlib.sha256(content).hexdigest()
        (self.folder / oid).write_bytes(content)
        return oid

    def seen(self, pattern: str) -> int:
        """Return how many requests matched."""
        return sum(re.search(pattern, line) is not None for line in self.log)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: StandIn

    def log_message(self, *_: object) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self):  # type: ignore[no-untyped-def]
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _send(self, status: int, content: object = None, **headers: str) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _gone(self, what: str) -> None:
        self._send(404, {"error": what}, X_Error_Code=what, X_Error_Message=what)

    def _fault(self) -> Fault | None:
        with self.server.lock:
            line = f"{self.command} {self.path}"
            self.server.log.append(line)
            for fault in self.server.faults:
                if fault.times > 0 and re.search(fault.match, line):
                    fault.times -= 1
                    return fault
        return None

    def _cut(self, *, reset: bool) -> None:
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _handle(self) -> None:
        fault, path = self._fault(), unquote(urlsplit(self.path).path)
        if fault and fault.kind.isdigit():
            self._body()
            after = {} if fault.retry_after is None else {"Retry_After": str(fault.retry_after)}
            self._send(int(fault.kind), {"error": "as asked"}, **after)
        elif fault and fault.kind in ("drop", "reset") and self.command in ("PUT", "POST"):
            self._cut(reset=True)
        elif match := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(*match.groups(), fault)
        elif self.command == "PUT":
            self._upload(path.rpartition("/")[2])
        else:
            self._api(path, self._body(), late=fault is not None and fault.kind == "late")

    do_GET = do_HEAD = do_POST = do_PUT = _handle

    def _file(self, name: str, revision: str, path: str, fault: Fault | None) -> None:
        repository = self.server.repositories.get(name)
        commit = repository and repository.resolve(revision)
        if repository is None or commit is None:
            return self._gone("RepoNotFound" if repository is None else "RevisionNotFound")
        oid = repository.commits[commit].get(path)
        if oid is None:
            return self._gone("EntryNotFound")
        stored = self.server.folder / oid
        size, start = stored.stat().st_size, 0
        if wanted := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            start = int(wanted[1])
        kind = fault.kind if fault else ""
        whole = size // 2 if kind == "short" else size
        self.send_response(206 if start else 200)
        for header, value in {
            "ETag": f'"{oid}"',
            "X-Repo-Commit": commit,
            "X-Linked-Size": str(whole),
            "Content-Length": str(whole - start),
            "Content-Range": f"bytes {start}-{whole - 1}/{whole}" if start else "",
        }.items():
            if value:
                self.send_header(header, value)
        self.end_headers()
        if self.command == "HEAD":
            return None
        end = start + (whole - start) // 2 if kind in ("drop", "reset") else whole
        self.wfile.flush()
        with stored.open("rb") as file:
            if kind == "flip":
                content = bytearray(file.read())
                content[-1] ^= 1
                self.wfile.write(content[start:end])
            else:
                while start < end:
                    start += os.sendfile(self.connection.fileno(), file.fileno(), start, end - start)
        if kind in ("drop", "reset"):
            self._cut(reset=kind == "reset")
        self.wfile.flush()
        return None

    def _upload(self, oid: str) -> None:
        partial = self.server.folder / f"{oid}.{threading.get_ident()}"
        digest = hashlib.sha256()
        with partial.open("wb") as file:
            if self.headers.get("Transfer-Encoding") == "chunked":
                for chunk in self._chunks():
                    file.write(chunk)
                    digest.update(chunk) if self.server.check else None
            else:
                left = int(self.headers["Content-Length"])
                while left and (chunk := self.rfile.read1(min(left, 1 << 20))):
                    left -= len(chunk)
                    file.write(chunk)
                    digest.update(chunk) if self.server.check else None
        if self.server.check and digest.hexdigest() != oid:
            partial.unlink()
            return self._send(400, {"error": "the content has another SHA-256"})
        partial.replace(self.server.folder / oid)
        return self._send(200)

    def _api(self, path: str, body: bytes, *, late: bool) -> None:
        server = self.server
        if path == "/api/validate-yaml":
            return self._send(200, {"errors": [], "warnings": []})
        if self.command == "POST" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(401, {"error": "Invalid username or password."})
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if asked["organization"] == "not-mine":
                return self._send(403, {"error": "You do not have the rights"})
            if name in server.repositories:
                return self._send(409, {"error": "exists", "url": f"{server.url}/datasets/{name}"})
            repository = server.repositories[name] = Repository()
            repository.commit({".gitattributes": server.put(b"*.zip filter=lfs\n")})
            return self._send(200, {"url": f"{server.url}/datasets/{name}"})
        match = re.match(r"/(?:api/)?datasets/([^/]+/[^/]+?)(?:\.git)?(?:/(.*))?$", path)
        repository = server.repositories.get(match[1]) if match else None
        if match is None or repository is None:
            return self._gone("RepoNotFound")
        verb, _, revision = (match[2] or "revision/main").partition("/")
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        if verb == "refs":
            listed = {
                "branches": [
                    {"name": n, "ref": f"refs/heads/{n}", "targetCommit": c} for n, c in repository.refs.items()
                ],
                "tags": [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": c} for n, c in repository.tags.items()],
                "converts": [],
            }
            return self._send(200, listed)
        commit = repository.resolve(revision)
        if commit is None:
            return self._gone("RevisionNotFound")
        files = repository.commits[commit]
        if verb == "revision":
            return self._send(200, {"id": match[1], "sha": commit, "siblings": [{"rfilename": n} for n in files]})
        if verb == "tree":
            return self._tree(files)
        if verb == "preupload":
            answer = [
                {
                    "path": one["path"],
                    "uploadMode": "regular" if one["path"].endswith(_REGULAR) else "lfs",
                    "shouldIgnore": False,
                    "oid": self._remote_oid(files.get(one["path"]), one["path"]),
                }
                for one in json.loads(body)["files"]
            ]
            return self._send(200, {"files": answer})
        if verb == "tag":
            tag = json.loads(body)["tag"]
            if tag in repository.tags:
                return self._send(409, {"error": "tag exists"})
            repository.tags[tag] = commit
            return self._send(200)
        assert verb == "commit", path
        return self._commit(f"{server.url}/datasets/{match[1]}", repository, files, body, late=late)

    def _remote_oid(self, oid: str | None, path: str) -> str | None:
        if oid is None or not path.endswith(_REGULAR):
            return oid
        content = (self.server.folder / oid).read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    def _tree(self, files: dict[str, str]) -> None:
        page = int(parse_qs(urlsplit(self.path).query).get("page", ["0"])[0])
        names = sorted(files)
        some = []
        for name in names[page * _PAGE : (page + 1) * _PAGE]:
            size = (self.server.folder / files[name]).stat().st_size
            some.append({"type": "file", "path": name, "size": size, "oid": files[name]})
        link = {}
        if (page + 1) * _PAGE < len(names):
            link["Link"] = f'<{self.server.url}{urlsplit(self.path).path}?recursive=true&page={page + 1}>; rel="next"'
        self._send(200, some, **link)

    def _batch(self, asked: dict[str, list[dict[str, str]]]) -> None:
        objects = []
        for one in asked["objects"]:
            known = (self.server.folder / one["oid"]).is_file()
            upload = {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}
            objects.append({**one, **({} if known else {"actions": upload})})
        self._send(200, {"transfer": "basic", "objects": objects})

    def _commit(self, url: str, repository: Repository, files: dict[str, str], body: bytes, *, late: bool) -> None:
        head, *operations = (json.loads(line) for line in body.splitlines())
        parent = head["value"].get("parentCommit")
        if parent and parent != repository.refs["main"]:
            return self._send(412, {"error": "A commit has happened since. Please refresh and try again."})
        changed = dict(files)
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "file":
                changed[value["path"]] = self.server.put(base64.b64decode(value["content"]))
            elif operation["key"] == "lfsFile":
                if not (self.server.folder / value["oid"]).is_file():
                    return self._send(400, {"error": f"{value['path']}: not uploaded"})
                changed[value["path"]] = value["oid"]
            else:
                del changed[value["path"]]
        oid = repository.commit(changed)
        if late:
            return self._cut(reset=True)
        return self._send(200, {"commitUrl": f"{url}/commit/{oid}", "commitOid": oid})


if __name__ == "__main__":
    stand_in = StandIn(Path(sys.argv[1]), check=False)
    print(stand_in.url, flush=True)
    try:
        stand_in.serve_forever()
    finally:
        shutil.rmtree(sys.argv[1], ignore_errors=True)
