// Sorting of the board's tables; without it they stand in the order of the ranks.
"use strict";

function value(row, column) {
  const text = row.cells[column].dataset.sort;
  if (text === "") return null;
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

function sortBy(table, column, direction) {
  const heads = [...table.tHead.rows[0].cells];
  const sign = direction === "descending" ? -1 : 1;
  const body = table.querySelector("tbody.ranked");
  const rows = [...body.rows].map((row, i) => ({ row, i, v: value(row, column) }));
  rows.sort((a, b) => {
    if (a.v === null || b.v === null) return (a.v === null) - (b.v === null) || a.i - b.i; // missing values last
    const order = typeof a.v === "number" && typeof b.v === "number" ? a.v - b.v : String(a.v).localeCompare(String(b.v), "en");
    return sign * order || a.i - b.i;
  });
  rows.forEach(({ row }) => body.append(row));
  heads.forEach((head, i) => head.setAttribute("aria-sort", i === column ? direction : "none"));
  const status = document.querySelector(`[data-status="${table.id}"]`);
  if (status) status.textContent = `Sorted by ${heads[column].textContent.trim()}, ${direction}`;
}

for (const table of document.querySelectorAll("table.board")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = head.querySelector("button");
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const other = { ascending: "descending", descending: "ascending" };
      const direction = other[now] || button.dataset.first;
      sortBy(table, column, direction);
      try {
        history.replaceState(null, "", `#sort=${table.id},${head.dataset.key},${direction}`);
      } catch {
        // some browsers refuse it on file: pages; the table is sorted all the same
      }
    });
  });
}

// #sort=fixed,iou-3,descending makes a sorted table linkable
const wanted = /^#sort=([a-z]+),([a-z0-9_-]+),(ascending|descending)$/.exec(location.hash);
if (wanted) {
  const table = document.querySelector(`table.board[id="${wanted[1]}"]`);
  const column = table ? [...table.tHead.rows[0].cells].findIndex((head) => head.dataset.key === wanted[2]) : -1;
  if (column >= 0) sortBy(table, column, wanted[3]);
}
