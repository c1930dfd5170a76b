// Choosing, filtering and sorting of what the page already shows. Without it the page says the same. Holds no figures.
(() => {
  const make = (tag, text, parent) => { const e = document.createElement(tag); e.textContent = text; parent?.append(e); return e };
  document.querySelectorAll("[data-choose]").forEach((box) => {
    const figures = [...box.querySelectorAll("figure")];
    if (figures.length < 2) return;
    const label = make("label", box.dataset.choose + " ");
    const select = make("select", "", label);
    [box.dataset.all, ...figures.map((f) => f.querySelector("figcaption").firstChild.textContent.trim())]
      .forEach((words, i) => { make("option", words, select).value = i; });
    select.addEventListener("change", () => figures.forEach((f, i) => { f.hidden = +select.value > 0 && i + 1 !== +select.value; }));
    label.className = "choose";
    box.prepend(label);
  });
  const filters = document.querySelector("form.filters");
  if (filters) {
    const parts = [...document.querySelectorAll("[data-design]")];
    const show = () => {
      const asked = [...filters.querySelectorAll("select")].filter((s) => s.value);
      parts.forEach((p) => { p.hidden = asked.some((s) => p.dataset[s.name] !== s.value); });
      const left = parts.filter((p) => p.matches("tr") && !p.hidden).length;
      filters.querySelector("output").textContent = filters.dataset.left.replace("{}", left);
    };
    filters.hidden = false;
    filters.addEventListener("change", show);
    filters.addEventListener("submit", (event) => event.preventDefault());
    show();
  }
  document.querySelectorAll("th[data-sort]").forEach((head) => {
    const column = [...head.parentNode.children].indexOf(head);
    const words = head.textContent;
    head.textContent = "";
    make("button", words, head).addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      head.parentNode.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = head.closest("table").tBodies[0];
      const key = (row) => row.cells[column].dataset.key || row.cells[column].textContent.trim();
      [...body.rows].sort((a, b) => (up ? 1 : -1) * key(a).localeCompare(key(b), document.documentElement.lang, { numeric: true }))
        .forEach((row) => body.append(row));
    });
  });
})();
