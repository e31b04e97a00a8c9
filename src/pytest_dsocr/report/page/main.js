// Puts the parts into the page.

const byId = (id) => document.getElementById(id);

function reveal(id, draws) {
  if (!draws(byId(`${id}-plot`))) return;
  byId(id).hidden = false;
  for (const one of document.querySelectorAll(`[data-needs="${id}"]`)) one.hidden = false;
}

// Arrow keys go through places of which Tab reaches one: all layers in two directions, all crop grids in one.
function onePlaceByTab(container, next) {
  container.querySelectorAll("a").forEach((link, at) => {
    link.tabIndex = at ? -1 : 0;
  });
  roving(container, "a", next);
}

function besideInTable(link, key) {
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[key];
  if (!step) return null;
  const cell = link.closest("td, th");
  const lines = [...cell.closest("tbody").rows];
  let [down, across] = [lines.indexOf(cell.parentElement), cell.cellIndex];
  while (lines[down]?.cells[across]) {
    down += step[0];
    across += step[1];
    const found = lines[down]?.cells[across]?.querySelector("a");
    if (found) return found;
  }
  return null;
}

function besideInList(link, key) {
  const item = link.parentElement;
  const list = item.parentElement;
  return {
    ArrowRight: item.nextElementSibling, ArrowLeft: item.previousElementSibling,
    Home: list.firstElementChild, End: list.lastElementChild,
  }[key]?.querySelector("a");
}

themeButton(byId("theme"));
for (const table of document.querySelectorAll("table.map")) onePlaceByTab(table, besideInTable);
for (const list of document.querySelectorAll("ul.grids")) onePlaceByTab(list, besideInList);
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
  reveal("times", timesPlot);
  reveal("roofline", rooflinePlot);
} else {
  byId("table").append(make("p", { class: "note" }, "There are none."));
}
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details")) one.open = true;
});
