// Tables that sort and filter, and the choice of light or dark. Without this file every page still shows all it has.
"use strict";

for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = table.tHead.rows[0].cells;
  Array.from(heads).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const isAscending = head.getAttribute("aria-sort") === "descending" || (!head.hasAttribute("aria-sort") && !head.classList.contains("n"));
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", isAscending ? "ascending" : "descending");
      sortRows(table.tBodies[0], column, isAscending ? 1 : -1);
    });
  });
}

function sortRows(body, column, direction) {
  const keyed = Array.from(body.rows, (row) => [row.cells[column].dataset.v ?? row.cells[column].textContent.trim(), row]);
  const isNumeric = keyed.every(([key]) => key === "" || !Number.isNaN(Number(key)));
  keyed.sort(([one], [other]) => {
    // What is not known stays at the end, whichever way.
    if (one === "" || other === "") return (one === "") - (other === "");
    return direction * (isNumeric ? Number(one) - Number(other) : one.localeCompare(other));
  });
  body.append(...keyed.map(([, row]) => row));
}

for (const input of document.querySelectorAll("input[data-filters]")) {
  const body = document.getElementById(input.dataset.filters).tBodies[0];
  const told = document.getElementById(input.dataset.filters + "-count");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    told.textContent = `${shown} of ${body.rows.length} rows`;
  });
}

const toggle = document.querySelector(".theme");
const root = document.documentElement;
function stored(value) {
  // Pages opened from a folder may be denied storage; then the choice lasts as long as the page.
  try {
    if (value === undefined) return localStorage.getItem("theme");
    localStorage.setItem("theme", value);
  } catch (error) {
    console.info("the choice of theme cannot be kept:", error.name);
  }
  return null;
}
function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
function tell() {
  toggle.textContent = isDark() ? "Light" : "Dark";
  toggle.setAttribute("aria-label", `Show the pages ${isDark() ? "light" : "dark"}`);
}
const kept = stored();
if (kept === "dark" || kept === "light") root.dataset.theme = kept;
toggle.hidden = false;
toggle.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  stored(root.dataset.theme);
  tell();
});
tell();
