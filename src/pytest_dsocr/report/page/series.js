// Which rows are a sweep: those of the whole model that differ in their crop grid, or in how many keys are attended to.

const starred = (text) => text.replace(/\d+/g, "*");

function gridCrops(grid) {
  const [high, wide] = grid.split("x").map(Number);
  return high * wide;
}

// Groups rows by the texts that `key` makes.
function grouping(rows, key) {
  const found = new Map();
  for (const row of rows) {
    const name = key(row);
    if (!found.has(name)) found.set(name, []);
    found.get(name).push(row);
  }
  return found;
}

const setting = (row) => [field.metric(row), field.layer(row), field.model(row), field.implementation(row),
  field.attention(row), field.dtype(row), deviceText(row)];

// A series: { metric, panel, name, axis, points: [{ row, x }] }, its points from left to right.
function allSeries() {
  const rows = allRows.filter((row) => field.layer(row).startsWith("model."));
  const onGrids = rows.filter((row) => field.grid(row));
  const others = rows.filter((row) => !field.grid(row) && "kv_len" in field.sizes(row));
  return [...seriesOverCrops(onGrids), ...seriesOverKeys(others)];
}

const afterGrid = (row) => field.case(row).slice(field.case(row).indexOf("x")).replace(/^x\d+[\s:,]*/, "");

function seriesOverCrops(rows) {
  const made = [];
  const lone = [];
  const take = (group, name) => {
    const grids = new Set(group.map(field.grid));
    if (grids.size < 2 || grids.size < group.length) return false;
    made.push(oneSeries(group, name, "crops", (row) => gridCrops(field.grid(row))));
    return true;
  };
  for (const group of grouping(rows, (row) => [...setting(row), afterGrid(row)].join("\n")).values()) {
    if (!take(group, afterGrid(group[0]))) lone.push(...group);
  }
  for (const group of grouping(lone, (row) => [...setting(row), starred(afterGrid(row))].join("\n")).values()) {
    take(group, starred(afterGrid(group[0])));
  }
  return made;
}

function seriesOverKeys(rows) {
  const sort = (row) => [...setting(row), starred(field.case(row)), field.sizes(row).batch].join("\n");
  const made = [];
  for (const group of grouping(rows, sort).values()) {
    const keys = new Set(group.map((row) => field.sizes(row).kv_len));
    if (keys.size < 3 || keys.size < group.length) continue;
    const { batch } = field.sizes(group[0]);
    const name = starred(field.case(group[0])).replace(/batch \*/, `batch ${batch}`);
    made.push(oneSeries(group, name, "keys", (row) => Number(field.sizes(row).kv_len)));
  }
  return made;
}

function oneSeries(group, name, axis, place) {
  const [row] = group;
  const points = group.map((one) => ({ row: one, x: place(one) })).sort((one, other) => one.x - other.x);
  const stage = name.replace(/,? in time$/, "") || field.layer(row);
  return { metric: field.metric(row), layer: field.layer(row), panel: `${field.layer(row)}: ${starred(stage)}`, name: stage, axis, points, about: setting(row).slice(2) };
}
