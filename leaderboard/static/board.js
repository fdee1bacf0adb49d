// What the board does beyond plain pages: sort, filter, choose columns, set slices side by side. Without it nothing is lost
// but that: tables stand in the order of the ranks and show every column.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector, root = document) => root.querySelector(selector);

// The state of the page is in the address after #, so that a view can be linked: #sort=fixed,iou-3,descending&find=unet
const state = new URLSearchParams(location.hash.slice(1));

function remember(key, value) {
  if (value) state.set(key, value);
  else state.delete(key);
  const text = state.toString().replaceAll("%2C", ",");
  try {
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  } catch {
    // some browsers refuse it on file: pages; the page works all the same
  }
}

// Sorting

function value(row, column) {
  const text = row.cells[column].dataset.sort;
  if (text === "") return null;
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

function sortBy(table, column, direction) {
  const heads = [...table.tHead.rows[0].cells];
  const sign = direction === "descending" ? -1 : 1;
  const body = one("tbody.ranked", table);
  const rows = [...body.rows].map((row, i) => ({ row, i, v: value(row, column) }));
  rows.sort((a, b) => {
    if (a.v === null || b.v === null) return (a.v === null) - (b.v === null) || a.i - b.i; // missing values last
    const order = typeof a.v === "number" && typeof b.v === "number" ? a.v - b.v : String(a.v).localeCompare(String(b.v), "en");
    return sign * order || a.i - b.i;
  });
  body.append(...rows.map(({ row }) => row));
  heads.forEach((head, i) => head.setAttribute("aria-sort", i === column ? direction : "none"));
  const status = one(`[data-status="${table.id}"]`);
  if (status) status.textContent = `Sorted by ${heads[column].textContent.trim()}, ${direction}`;
}

function prepareSorting(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = one("button", head);
    button.addEventListener("click", () => {
      const other = { ascending: "descending", descending: "ascending" };
      const direction = other[head.getAttribute("aria-sort")] || button.dataset.first;
      sortBy(table, column, direction);
      remember("sort", `${table.id},${head.dataset.key},${direction}`);
    });
  });
}

function sortAsLinked() {
  const [id, key, direction] = (state.get("sort") || "").split(",");
  const table = all("table.board").find((found) => found.id === id);
  const column = table ? [...table.tHead.rows[0].cells].findIndex((head) => head.dataset.key === key) : -1;
  if (column >= 0 && ["ascending", "descending"].includes(direction)) sortBy(table, column, direction);
}

// Filters and columns

function prepareTools(tools) {
  const names = ["find", "origin", "track", "columns"];
  const inputs = Object.fromEntries(names.map((name) => [name, one(`[data-${name}]`, tools)]).filter(([, input]) => input));
  const tables = all("table.board");
  const rows = all("tbody.ranked tr[data-method]");

  function filter() {
    const wanted = inputs.find.value.trim().toLowerCase();
    const origin = inputs.origin ? inputs.origin.value : "";
    const track = inputs.track ? inputs.track.value : "";
    const shown = new Set();
    let count = 0;
    for (const section of all("section.track")) section.hidden = Boolean(track) && section.id !== `section-${track}`;
    for (const row of rows) {
      const named = !wanted || row.dataset.method.includes(wanted) || one(".name", row).textContent.toLowerCase().includes(wanted);
      row.hidden = !(named && (!origin || row.dataset.origin === origin));
      if (row.hidden || row.closest("section").hidden) continue;
      shown.add(row.dataset.method);
      count += 1;
    }
    const known = new Set(rows.map((row) => row.dataset.method));
    for (const thing of all(".tile[data-method], g[data-method]")) {
      const method = thing.dataset.method;
      thing.classList.toggle("off", known.has(method) && !shown.has(method));
    }
    one("[data-count]", tools).textContent = `${count} of ${rows.length} methods`;
  }

  function columns() {
    const chosen = inputs.columns ? inputs.columns.value : "";
    for (const table of tables) {
      const hide = [...table.tHead.rows[0].cells].map((head) => Boolean(chosen && head.dataset.group) && head.dataset.group !== chosen);
      for (const row of table.rows) [...row.cells].forEach((cell, i) => (cell.hidden = hide[i]));
    }
  }

  for (const [name, input] of Object.entries(inputs)) {
    const linked = state.get(name === "columns" ? "levels" : name);
    if (linked !== null && (name === "find" || [...input.options].some((option) => option.value === linked))) input.value = linked;
    input.addEventListener("input", () => {
      if (name === "columns") columns();
      else filter();
      remember(name === "columns" ? "levels" : name, input.value);
    });
  }
  tools.addEventListener("submit", (event) => event.preventDefault());
  if (inputs.columns && inputs.columns.value) columns();
  filter();
  tools.hidden = false;
}

// Legends: each name shows or hides its line in the plots

function prepareLegends() {
  for (const item of all(".legend li[data-series]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...item.childNodes);
    button.setAttribute("aria-pressed", "true");
    item.append(button);
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      const series = item.dataset.series;
      for (const same of all(`.legend li[data-series="${series}"] button`)) same.setAttribute("aria-pressed", String(on));
      for (const line of all(`g[data-series="${series}"]`)) line.classList.toggle("unseen", !on);
    });
  }
}

// Two slices in one frame with a divider, and one grey window for all slices

function prepareViewer(viewer) {
  const tiles = all(".gallery").flatMap((gallery, g) => all(".tile", gallery).map((tile) => ({ tile, g })));
  if (tiles.length < 2) return;
  const heads = all(".gallery").map((gallery) => gallery.previousElementSibling.textContent);
  const selects = Object.fromEntries(["left", "right"].map((side) => [side, one(`[data-choose="${side}"]`, viewer)]));
  const several = heads.length > 1;
  for (const select of Object.values(selects)) {
    tiles.forEach(({ tile, g }, i) => {
      const name = one(".name", tile).textContent;
      select.append(new Option(several ? `${name}, ${heads[g]}` : name, String(i)));
    });
  }
  const find = (kind, otherwise) => Math.max(tiles.findIndex(({ tile }) => tile.classList.contains(kind)), otherwise);
  selects.left.value = String(find("truth", 0));
  selects.right.value = String(Math.max(find("answer", 1), 1));

  const divided = one(".divider", viewer);
  const images = Object.fromEntries(
    ["left", "right"].map((side) => {
      const image = document.createElement("img");
      image.loading = "lazy";
      image.dataset.side = side;
      divided.before(image);
      return [side, image];
    }),
  );

  let windowed = false;
  function applyWindow() {
    for (const image of [...all(".tile.grey img"), ...Object.values(images)]) {
      const grey = image.closest(".grey") || image.dataset.grey;
      image.style.filter = windowed && grey ? "url('#grey-window')" : "";
    }
  }

  function show(side) {
    const { tile } = tiles[Number(selects[side].value)];
    const source = one("img", tile);
    const target = images[side];
    target.src = source.getAttribute("src");
    target.alt = source.alt;
    target.dataset.grey = tile.classList.contains("grey") ? "yes" : "";
    applyWindow();
  }
  for (const [side, select] of Object.entries(selects)) {
    select.addEventListener("input", () => show(side));
    show(side);
  }

  const divider = one("[data-divider]", viewer);
  const divide = () => one(".stage", viewer).style.setProperty("--at", `${divider.value}%`);
  divider.addEventListener("input", divide);
  divide();

  const drawing = "http://www.w3.org/2000/svg";
  const make = (name, attributes) => {
    const element = document.createElementNS(drawing, name);
    for (const [key, text] of Object.entries(attributes)) element.setAttribute(key, text);
    return element;
  };
  const svg = make("svg", { width: "0", height: "0", "aria-hidden": "true", class: "hidden" });
  const effect = make("filter", { id: "grey-window", "color-interpolation-filters": "sRGB" });
  const transfer = make("feComponentTransfer", {});
  const channels = ["R", "G", "B"].map((channel) => make(`feFunc${channel}`, { type: "linear", slope: "1", intercept: "0" }));
  transfer.append(...channels);
  effect.append(transfer);
  svg.append(effect);
  document.body.append(svg);

  const ends = { low: one('[data-window="low"]', viewer), high: one('[data-window="high"]', viewer) };
  const limits = viewer.dataset.low === undefined ? null : [Number(viewer.dataset.low), Number(viewer.dataset.high)];
  const say = (share) => (limits ? `${(limits[0] + share * (limits[1] - limits[0])).toFixed(2)} µm⁻¹` : `${Math.round(100 * share)} %`);
  function setWindow() {
    const low = Number(ends.low.value) / 100;
    const high = Math.max(Number(ends.high.value) / 100, low + 0.02);
    for (const channel of channels) {
      channel.setAttribute("slope", String(1 / (high - low)));
      channel.setAttribute("intercept", String(-low / (high - low)));
    }
    windowed = low > 0 || high < 1;
    applyWindow();
    one('[data-says="low"]', viewer).textContent = say(low);
    one('[data-says="high"]', viewer).textContent = say(high);
  }
  for (const end of Object.values(ends)) end.addEventListener("input", setWindow);
  setWindow();
  if (!all(".tile.grey").length) one("fieldset", viewer).hidden = true;
  viewer.hidden = false;
}

all("table.board[id]").forEach(prepareSorting);
sortAsLinked();
all("[data-tools]").forEach(prepareTools);
prepareLegends();
all("[data-viewer]").forEach(prepareViewer);
