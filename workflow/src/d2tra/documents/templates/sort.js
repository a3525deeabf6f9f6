// A click on a column's heading sorts its table: up, then down, then as printed. A line and its levels move together.
"use strict";
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
const EMPTY = ["", "–", "0/0", "[suppressed]"];

// "12/95 (12.6 %; 7.4–20.8)" counts as its percentage, "3.53 (0.98–12.72)" and "<0.001" as the number they begin with.
function numberOf(text) {
  const plain = text.replaceAll("−", "-").replace("∞", "Infinity");
  const found = plain.match(/([-\d.]+) %/) ?? plain.match(/^<?(-?(?:[\d.]+|Infinity))/);
  return found ? Number(found[1]) : NaN;
}

function sorted(groups, column, order) {
  const texts = new Map(groups.map((rows) => {
    const said = rows.map((row) => row.cells[column].textContent.trim());
    return [rows, said.find((text) => !EMPTY.includes(text)) ?? ""];
  }));
  const given = groups.filter((rows) => texts.get(rows));
  const isNumber = given.every((rows) => !Number.isNaN(numberOf(texts.get(rows))));
  const compare = (a, b) => isNumber ? numberOf(a) - numberOf(b) || 0 : a.localeCompare(b, "en", { numeric: true });
  const sign = order === "descending" ? -1 : 1;
  given.sort((a, b) => sign * compare(texts.get(a), texts.get(b)));
  return [...given, ...groups.filter((rows) => !texts.get(rows))];
}

function makeSortable(table) {
  const printed = [];
  for (const row of table.tBodies[0].rows) {
    if (printed.length && row.cells[0].classList.contains("level")) printed.at(-1).push(row);
    else printed.push([row]);
  }
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column";
    button.append(...heading.childNodes);
    if (!button.textContent) button.setAttribute("aria-label", "Row");
    heading.append(button);
    button.addEventListener("click", () => {
      const order = NEXT[heading.getAttribute("aria-sort") ?? "none"];
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      if (order !== "none") heading.setAttribute("aria-sort", order);
      const groups = order === "none" ? printed : sorted(printed, column, order);
      table.tBodies[0].append(...groups.flat());
    });
  });
}

addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("main table").forEach(makeSortable);
  if (matchMedia("(max-width: 70rem)").matches) document.querySelector("nav details").open = false;
});
