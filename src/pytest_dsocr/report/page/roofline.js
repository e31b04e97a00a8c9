// The roofline: layers by the FLOPs that they do for each byte, under what a card can do at most.

const LEAST_INTENSITY = 0.01; // FLOPs a byte below which a layer only moves bytes, and is not drawn
const COUNTS = ["tensor_flops", "cuda_flops", "io_bytes"]; // a layer at a size of which all three were counted has a place

const withoutTime = (name) => name.replace(/,? in time$/, "");

// Layers at a size: { layer, name, flops, bytes, row, time }; `time` is the row of their seconds, if they were timed.
function works() {
  const found = new Map();
  for (const row of allRows) {
    const metric = field.metric(row);
    if (!COUNTS.includes(metric) && metric !== "latency_s") continue;
    const key = [field.model(row), field.implementation(row), field.attention(row), field.dtype(row), field.layer(row),
      withoutTime(field.case(row)), JSON.stringify(field.sizes(row))].join("\n");
    if (!found.has(key)) found.set(key, {});
    found.get(key)[metric] ??= row;
  }
  return [...found.values()].filter((one) => COUNTS.every((metric) => metric in one)).map((one) => {
    const measured = (metric) => number(field.measured(one[metric]));
    const flops = measured("tensor_flops") + measured("cuda_flops");
    const bytes = measured("io_bytes");
    const row = one.io_bytes;
    return { layer: field.layer(row), name: withoutTime(field.case(row)), dtype: field.dtype(row), flops, bytes, intensity: flops / bytes, row, time: one.latency_s };
  }).filter((work) => work.bytes > 0 && work.intensity >= LEAST_INTENSITY && Number.isFinite(work.intensity));
}

function rooflinePlot(place) {
  const all = works();
  if (!all.length) return false;
  const dtypes = distinct(all.map((work) => work.dtype));
  const dtype = ["bfloat16", "float16", "float32"].find((name) => dtypes.includes(name)) ?? "bfloat16";
  const cards = data.cards.filter((card) => card.bandwidth && card.peaks[dtype]);
  let card = cards.find((one) => one.name === data.card) ?? cards[0];
  if (!card) return false;
  const timed = all.filter((work) => work.time !== undefined);
  const about = make("p", { class: "note" });
  const source = make("p", { class: "note" });
  const picture = chart("Layers under the roofs of a card, by FLOPs a byte", (width) => rooflinePicture(width, all, card, dtype));
  const say = () => {
    const ridge = card.peaks[dtype] / card.bandwidth;
    const left = distinct(all.filter((work) => work.intensity < ridge).map((work) => work.layer)).length;
    about.textContent = `${card.name}: ${scaledText(card.peaks[dtype], "FLOP/s")} dense in ${dtype}, ${scaledText(card.bandwidth, "B/s")}, so ` +
      `below ${general(ridge, 3)} FLOP a byte memory is the bound: ${figure(left)} of ${figure(distinct(all.map((work) => work.layer)).length)} layers are there at some size. ` +
      (timed.length ? `Filled marks attain what was measured on ${distinct(timed.map((work) => deviceText(work.time))).join("; ")}, whichever card's roofs are drawn.` : "No time was measured of them: marks stand at the roof.");
    source.textContent = `The card's figures: ${card.source}`;
  };
  const [control, select] = choice("Roofs of", cards.map((one) => [one.name, one.name]), (value) => {
    card = cards.find((one) => one.name === value);
    say();
    picture.repaint();
  });
  select.value = card.name;
  say();
  place.append(make("div", { class: "filters" }, control), about, groupKey(all), picture.element, source);
  return true;
}

function groupKey(all) {
  const there = distinct(all.map((work) => groupOf(work.layer))).sort();
  return make("ul", { class: "key" }, there.map((at) => make("li", {},
    draw("svg", { width: 12, height: 10, "aria-hidden": "true" }, marker(at, 6, 5, `mark full tone-${at % 4}`)), GROUPS[at] ?? "others")));
}

// Roofs and marks on the left axis; below them a line a layer, with its intensities on the same axis.
function rooflinePicture(width, all, card, dtype) {
  const top = 344;
  const { narrow, lane, bottom, labels, box: { left, right } } = lanes(width, all.map((work) => work.layer), top);
  const box = { left, right, top: 26, bottom: 300, lanesTop: top, lanesBottom: bottom, narrow };
  const roofs = roofsOf(card, dtype);
  const intensities = [...all.map((work) => work.intensity), roofs.ridge];
  const rates = all.map((work) => rateOf(work, roofs)).filter((rate) => rate > 0 && Number.isFinite(rate));
  const [low, high] = [Math.min(...intensities) / 1.5, Math.max(...intensities) * 1.5];
  const x = logarithmic(low, high, box.left, box.right);
  const y = logarithmic(Math.min(...rates) / 2, roofs.peak * 2, box.bottom, box.top);
  const points = all.flatMap((work) => [
    { work, x: x(work.intensity), y: y(rateOf(work, roofs)), pale: work.time === undefined },
    { work, x: x(work.intensity), y: lane(work.layer), pale: false },
  ]).map((point) => ({ ...point, lines: workText(point.work, roofs), go: () => goToRow(point.work.row) }));
  const marks = points.map((point) => {
    const at = groupOf(point.work.layer);
    return marker(at, point.x, point.y, `mark small tone-${at % 4} ${point.pale ? "pale" : "full"}`);
  });
  const frame = axes(box, x, y, {
    xText: (value) => value < 1 ? general(value, 3) : figure(value), yText: (value) => scaledText(value, "", 3),
    xTitle: "FLOP a byte", yTitle: "FLOP/s",
  });
  const parts = [frame, labels, roofLines(roofs, box, x, y, low, high), marks];
  return { height: bottom + 8, parts, points: points.sort((one, other) => one.x - other.x) };
}

// What a card can do at most; `vector` is the lower roof of its CUDA cores in fp32, if there is one.
function roofsOf(card, dtype) {
  const peak = card.peaks[dtype];
  const fp32 = card.peaks.float32;
  const vector = fp32 && fp32 < peak && dtype !== "float32" ? fp32 : null;
  return { dtype, peak, vector, slope: card.bandwidth, ridge: peak / card.bandwidth, at: (intensity) => Math.min(peak, intensity * card.bandwidth) };
}

const attained = (work) => work.flops / number(field.measured(work.time));
const rateOf = (work, roofs) => work.time === undefined ? roofs.at(work.intensity) : attained(work);

function workText(work, roofs) {
  const rate = work.time === undefined
    ? `at most ${scaledText(roofs.at(work.intensity), "FLOP/s")} on this card`
    : `${scaledText(attained(work), "FLOP/s")} in ${secondsText(number(field.measured(work.time)))}`;
  return [`${work.layer}, ${work.name}`, `${general(work.intensity, 4)} FLOP a byte`,
    `${scaledText(work.flops, "FLOP")} over ${scaledText(work.bytes, "B")}`, rate];
}

function roofLines({ dtype, peak, vector, slope, ridge, at }, { right, narrow, lanesTop, lanesBottom }, x, y, low, high) {
  const title = (across, down, text, anchor = "end") => draw("text", { class: "title", x: across, y: down, "text-anchor": anchor }, text);
  const lines = [
    draw("path", { class: "roof", d: `M${x(low)} ${y(at(low))}L${x(ridge)} ${y(peak)}L${x(high)} ${y(peak)}` }),
    draw("line", { class: "ridge", x1: x(ridge), x2: x(ridge), y1: y(peak), y2: lanesBottom }),
    title(right, y(peak) - 6, `${scaledText(peak, "FLOP/s")}${narrow ? "" : `, tensor cores, ${dtype}`}`),
  ];
  if (vector) {
    lines.push(
      draw("path", { class: "roof thin", d: `M${x(Math.max(vector / slope, low))} ${y(vector)}L${x(high)} ${y(vector)}` }),
      title(right, y(vector) + 13, `${scaledText(vector, "FLOP/s")}${narrow ? " fp32" : ", CUDA cores, fp32"}`));
  }
  if (!narrow) {
    lines.push(title(x(ridge) - 5, lanesTop - 6, "memory bound"), title(x(ridge) + 5, lanesTop - 6, "compute bound", "start"));
  }
  return lines;
}
