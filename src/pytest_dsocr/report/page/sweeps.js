// The sweeps: a picture for each stage, predicted as a line and measured as points.

const AXES = { crops: "crops of the page", keys: "keys attended to" };

function sweepPlots(place) {
  const series = allSeries();
  if (!series.length) return false;
  const metrics = Object.keys(data.labels).filter((name) => series.some((one) => one.metric === name));
  const plots = make("div", { class: "plots" });
  const state = { metric: metrics[0], axis: "", scale: "linear" };
  const render = () => {
    const those = series.filter((one) => one.metric === state.metric);
    const axesThere = Object.keys(AXES).filter((axis) => those.some((one) => one.axis === axis));
    const shown = those.filter((one) => one.axis === (axesThere.includes(state.axis) ? state.axis : axesThere[0]));
    plots.replaceChildren(...[...grouping(shown, (one) => one.panel).values()].map((members) => sweepPanel(members, state.scale)));
  };
  const set = (name) => (value) => {
    state[name] = value;
    render();
  };
  const controls = make("div", { class: "filters" }, choice("Metric", metrics.map((name) => [name, label(name)]), set("metric"))[0]);
  const axesOfAll = Object.keys(AXES).filter((axis) => series.some((one) => one.axis === axis));
  if (axesOfAll.length > 1) controls.append(choice("Over", axesOfAll.map((axis) => [axis, AXES[axis]]), set("axis"))[0]);
  controls.append(choice("Scale", [["linear", "linear"], ["log", "logarithmic"]], set("scale"))[0]);
  place.append(
    make("p", { class: "note" }, "A line is predicted, a mark is measured; a cross is no pass. Arrow keys go from point to point, Enter leads to the row."),
    controls, plots);
  render();
  return true;
}

function sweepPanel(members, scale) {
  const [{ metric, axis, panel }] = members;
  const values = members.flatMap((one) => one.points.flatMap(({ row }) => [field.predicted(row), field.measured(row)].map(number))).filter(Number.isFinite);
  const places = members.flatMap((one) => one.points.map((point) => point.x));
  const count = distinct(places).length;
  const { element } = chart(`${label(metric)}, ${panel}: ${figure(count)} places of ${AXES[axis]}, predicted and measured`, (width) => {
    const box = { left: isTime(metric) ? 66 : 46, right: width - 12, top: 26, bottom: 214 };
    const x = spanning(places, scale, box.left, box.right);
    const y = spanning(values, scale, box.bottom, box.top);
    const frame = axes(box, x, y, {
      xText: (value) => figure(value), yText: (value) => isTime(metric) ? secondsText(value) : scaledText(value, "", 3),
      xTitle: AXES[axis], yTitle: label(metric), xCount: width < 420 ? 4 : 6,
    });
    const points = members.flatMap((one, at) => one.points.map((point) => pointOf(one, at, point, x, y)));
    const lines = members.map((one, at) => draw("path", { class: `curve tone-${at % 4} dash-${at % 4}`, d: pathOf(one, x, y) }));
    const marks = points.map(({ x: left, y: top, at, passes }) => passes
      ? marker(at, left, top, `mark tone-${at % 4}`) : draw("path", { class: "mark cross", d: CROSS(left, top) }));
    return { height: 250, parts: [frame, lines, marks], points: points.sort((one, other) => one.x - other.x) };
  });
  const names = members.length > 1 ? make("ul", { class: "key" }, members.map((one, at) => make("li", {}, keyMark(at), one.name))) : null;
  const title = panel.replace(/^model\./, "").replace(/ \*/g, "");
  return make("figure", { class: "plot" }, make("figcaption", {}, make("b", {}, title)), element, names);
}

// A scale that has room for all values, and for 0 unless it is logarithmic.
function spanning(values, scale, from, to) {
  const above = values.filter((value) => value > 0);
  if (scale === "log" && above.length) return logarithmic(Math.min(...above) / 1.15, Math.max(...above) * 1.15, from, to);
  return linear(0, Math.max(...values, 0) * 1.04 || 1, from, to);
}

function keyMark(at) {
  return draw("svg", { width: 26, height: 10, "aria-hidden": "true" },
    draw("path", { class: `curve tone-${at % 4} dash-${at % 4}`, d: "M0 5H26" }), marker(at, 13, 5, `mark tone-${at % 4}`));
}

function pathOf(series, x, y) {
  const there = series.points.filter(({ row }) => Number.isFinite(number(field.predicted(row))));
  return there.map((point, at) => `${at ? "L" : "M"}${x(point.x).toFixed(1)} ${y(number(field.predicted(point.row))).toFixed(1)}`).join("");
}

function pointOf(series, at, { row, x: value }, x, y) {
  const metric = field.metric(row);
  const measured = number(field.measured(row));
  const passes = field.verdict(row) === "pass";
  return {
    x: x(value), y: y(Number.isFinite(measured) ? measured : 0), at, passes, go: () => goToRow(row),
    lines: [
      field.grid(row) ? `${field.grid(row)}: ${figure(value)} crops, ${series.name}` : `${field.case(row)}`,
      `predicted ${quantity(metric, field.predicted(row))}`,
      `measured ${quantity(metric, field.measured(row))}`,
      `${relativeText(row)} ${field.verdict(row)}`.trim(),
    ],
  };
}
