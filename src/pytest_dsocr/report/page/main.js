// Puts the parts into the page.

const byId = (id) => document.getElementById(id);

function reveal(id, draws) {
  if (!draws(byId(`${id}-plot`))) return;
  byId(id).hidden = false;
  for (const one of document.querySelectorAll(`[data-needs="${id}"]`)) one.hidden = false;
}

// Arrow keys in the map of layers and of grids, whose places Tab passes over but for one.
function mapKeys(table) {
  const links = [...table.querySelectorAll("a")];
  links.forEach((link, at) => {
    link.tabIndex = at ? -1 : 0;
  });
  const inCell = (line, at) => line?.cells[at]?.querySelector("a");
  roving(table, "a", (link, key) => {
    const cell = link.closest("td, th");
    const line = cell.parentElement;
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[key];
    if (!step) return null;
    const lines = [...table.tBodies[0].rows];
    let [down, across] = [lines.indexOf(line), cell.cellIndex];
    do {
      down += step[0];
      across += step[1];
      const found = inCell(lines[down], across);
      if (found) return found;
    } while (lines[down]?.cells[across]);
    return null;
  });
}

themeButton(byId("theme"));
for (const table of document.querySelectorAll("table.map")) mapKeys(table);
if (data.count) {
  const table = rowTable();
  byId("table").append(table.element);
  const follow = () => {
    const given = filtersFromAddress();
    if (!given) return false;
    table.apply(given);
    byId("rows").scrollIntoView();
    return true;
  };
  if (!follow()) table.showAll();
  addEventListener("hashchange", follow);
  reveal("sweeps", sweepPlots);
  reveal("roofline", rooflinePlot);
} else {
  byId("table").append(make("p", { class: "note" }, "There are none."));
}
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details")) one.open = true;
});
