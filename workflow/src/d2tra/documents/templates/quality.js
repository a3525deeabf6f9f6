// The list of all checks shows those that the filters ask for; without a script it shows all.
"use strict";
addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("#filters"), told = document.querySelector("#shown");
  const rows = [...document.querySelector("#all-checks table").tBodies[0].rows];
  const show = () => {
    const asked = new FormData(form), text = asked.get("text").trim().toLowerCase();
    for (const row of rows) {
      const fits = ["status", "category", "table", "severity"].every((key) => !asked.get(key) || row.dataset[key] === asked.get(key));
      row.hidden = !(fits && row.textContent.toLowerCase().includes(text));
    }
    told.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} checks`;
  };
  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
});
