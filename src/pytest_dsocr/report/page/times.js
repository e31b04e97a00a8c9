// Times: how far each prediction is off, layer by layer, with its band and the tolerance.

const FARTHEST = 1.5; // of the measured, beyond which a mark stands at the edge

function timesPlot(place) {
  const rows = allRows.filter((row) => isTime(field.metric(row)) && Number.isFinite(number(field.relative_difference(row))));
  if (!rows.length) return false;
  const devices = distinct(rows.map(deviceText));
  let device = devices[0];
  const about = make("p", { class: "note" });
  const there = () => rows.filter((row) => deviceText(row) === device);
  const picture = chart("Predicted against measured times of each layer", (width) => timesPicture(width, there()));
  const show = (name) => {
    device = name;
    about.textContent = timesText(there());
    picture.repaint();
  };
  show(device);
  if (devices.length > 1) {
    place.append(make("div", { class: "filters" }, choice("Measured on", devices.map((name) => [name, name]), show)[0]));
  }
  place.append(about, picture.element);
  return true;
}

function timesText(rows) {
  const off = rows.map((row) => size(field.relative_difference(row))).sort((one, other) => one - other);
  const part = (share) => percent(off[Math.min(Math.ceil(share * off.length), off.length) - 1]);
  const count = rows.length === 1 ? "One time" : `${figure(rows.length)} times`;
  return `${count} on ${deviceText(rows[0])}: half of the predictions are within ${part(0.5)}, nine of ten within ${part(0.9)}, ` +
    `the farthest is off by ${part(1)}. A line is the prediction's band, the shade the tolerance; a cross is no pass.`;
}

function timesPicture(width, rows) {
  const { layers, narrow, box, lane, bottom, labels } = lanes(width, rows.map(field.layer), 26);
  const off = (figure, row) => Math.max(-1, Math.min(figure / number(field.measured(row)) - 1, FARTHEST));
  const bandOf = (row) => (field.band(row) ?? []).map((end) => off(number(end), row));
  const ends = rows.flatMap((row) => [off(number(field.predicted(row)), row), ...bandOf(row), field.rtol(row), -field.rtol(row)]);
  const x = linear(Math.min(...ends, -0.05) * 1.05, Math.max(...ends, 0.05) * 1.05, box.left, box.right);
  const ticks = x.ticks(narrow ? 4 : 8);
  const shades = layers.map((layer) => {
    const rtol = Math.max(...rows.filter((row) => field.layer(row) === layer).map(field.rtol));
    return draw("rect", { class: "allowed", x: x(-rtol), width: x(rtol) - x(-rtol), y: lane(layer) - LANE / 2, height: LANE });
  });
  const points = rows.map((row) => {
    const metric = field.metric(row);
    return {
      row, x: x(off(number(field.predicted(row)), row)), y: lane(field.layer(row)), go: () => goToRow(row),
      lines: [`${field.layer(row)}, ${field.case(row)}`, `predicted ${figureOf(metric, field.predicted(row))}`,
        `measured ${figureOf(metric, field.measured(row))}`, `${relativeText(row)} ${field.verdict(row)}`],
    };
  });
  const bands = points.filter(({ row }) => field.band(row)).map(({ row, y }) => {
    const [low, high] = bandOf(row);
    return draw("line", { class: "band", x1: x(low), x2: x(high), y1: y, y2: y });
  });
  const marks = points.map(({ row, x: left, y: top }) => field.verdict(row) === "pass"
    ? marker(0, left, top, "mark full tone-0") : draw("path", { class: "mark cross", d: CROSS(left, top) }));
  const frame = [
    ticks.map((value) => draw("text", { x: x(value), y: bottom + 16, "text-anchor": "middle" }, signedPercent(value) || "0%")),
    draw("line", { class: "axis", x1: x(0), x2: x(0), y1: box.top - 8, y2: bottom + 4 }),
    draw("text", { class: "title", x: x(0) - 6, y: box.top - 12, "text-anchor": "end" }, "faster than measured"),
    draw("text", { class: "title", x: x(0) + 6, y: box.top - 12 }, "slower"),
  ];
  return { height: bottom + 26, parts: [shades, labels, frame, bands, marks], points: points.sort((one, other) => one.y - other.y || one.x - other.x) };
}
