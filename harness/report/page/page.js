"use strict";
// Filters, sorting and choosing. The page is whole without it: nothing here makes content, it hides and orders it.
(() => {
  const all = (query, root = document) => Array.from(root.querySelectorAll(query));
  const table = document.getElementById("cells-table");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const texts = rows.map((row) => (row.dataset.text + " " + row.textContent).replaceAll("\u00a0", " ").toLowerCase());
  const form = document.getElementById("filters");
  const find = document.getElementById("find");
  const count = document.getElementById("count");
  const selects = all("select[data-by]", form);

  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = selects.filter((select) => select.value).map((select) => [select.dataset.by, select.value.slice(1)]);
    let shown = 0;
    rows.forEach((row, i) => {
      const fits = wanted.every(([key, value]) => row.dataset[key] === value) && words.every((word) => texts[i].includes(word));
      row.hidden = !fits;
      shown += fits;
    });
    const total = rows.length.toLocaleString("en");
    const cells = rows.length === 1 ? "cell" : "cells";
    count.textContent = shown === rows.length ? `${total} ${cells}` : `${shown.toLocaleString("en")} of ${total} ${cells}`;
  }

  function sort(head) {
    const column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    const isNumber = head.classList.contains("number");
    const key = (row) => {
      const cell = row.cells[column];
      const text = cell.dataset.n ?? cell.textContent;
      return isNumber ? (text === "" ? Infinity : Number(text)) : text;
    };
    const keyed = rows.map((row, i) => [key(row), i, row]);
    const compare = isNumber
      ? (a, b) => (a[0] === b[0] ? 0 : a[0] < b[0] ? -1 : 1)
      : (a, b) => a[0].localeCompare(b[0], "en", { numeric: true });
    keyed.sort((a, b) => (down ? -compare(a, b) : compare(a, b)) || a[1] - b[1]);
    body.append(...keyed.map((entry) => entry[2]));
    all("thead th", table).forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  }

  function choose(select) {
    all(`[data-of="${select.dataset.choice}"]`).forEach((part) => {
      part.hidden = part.id !== select.value;
    });
  }

  all(".controls, .chooser").forEach((part) => {
    part.hidden = false;
  });
  form.addEventListener("input", filter);
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  all("thead th", table).forEach((head) => {
    head.querySelector("button").addEventListener("click", () => sort(head));
  });
  all("select[data-choice]").forEach((select) => {
    select.addEventListener("change", () => choose(select));
    choose(select);
  });
  // What scrolls must be reached by keyboard.
  all(".picture").forEach((part) => {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
  });
  // A browser may bring back what was typed before a reload.
  filter();
})();
