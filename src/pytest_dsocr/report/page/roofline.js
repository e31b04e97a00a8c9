// The roofline: layers by the FLOPs that they do for each byte, under what a card can do at most.

const LEAST_INTENSITY = 0.01; // FLOPs a byte below which a layer only moves bytes, and is not drawn
const LANE = 17;
const COUNTS = ["tensor_flops", "cuda_flops", "io_bytes"]; // a layer at a size of which all three were counted has a place
const GROUPS = ["vision", "llama", "decoder", "model"];

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
      (timed.length ? `Filled marks attain what was measured on ${distinct(timed.map((work) => deviceText(work.time))).join("; ")}. ` : "No time was measured of them: marks stand at the roof.");
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

function groupOf(layer) {
  const at = GROUPS.indexOf(layer.split(".")[0]);
  return at < 0 ? GROUPS.length : at;
}

function groupKey(all) {
  const there = distinct(all.map((work) => groupOf(work.layer))).sort();
  return make("ul", { class: "key" }, there.map((at) => make("li", {},
    draw("svg", { width: 12, height: 10, "aria-hidden": "true" }, marker(at, 6, 5, `mark full tone-${at % 4}`)), GROUPS[at] ?? "others")));
}

function rooflinePicture(width, all, card, dtype) {
  const layers = distinct(all.map((work) => work.layer)).sort((one, other) => groupOf(one) - groupOf(other) || collator.compare(one, other));
  const narrow = width < 620;
  const peak = card.peaks[dtype];
  const ridge = peak / card.bandwidth;
  const attained = (work) => work.time === undefined ? null : work.flops / number(field.measured(work.time));
  const roof = (intensity) => Math.min(peak, intensity * card.bandwidth);
  const intensities = [...all.map((work) => work.intensity), ridge];
  const rates = [...all.map((work) => attained(work)).filter((rate) => rate > 0 && Number.isFinite(rate)), ...all.map((work) => roof(work.intensity)), peak];
  const box = { left: narrow ? 128 : 218, right: width - 14, top: 26, bottom: 300 };
  const x = logarithmic(Math.min(...intensities) / 1.5, Math.max(...intensities) * 1.5, box.left, box.right);
  const y = logarithmic(Math.min(...rates) / 2, peak * 2, box.bottom, box.top);
  const lanesTop = box.bottom + 44;
  const bottom = lanesTop + layers.length * LANE;
  const lane = (layer) => lanesTop + layers.indexOf(layer) * LANE + LANE / 2;
  const [low, high] = [Math.min(...intensities) / 1.5, Math.max(...intensities) * 1.5];
  const tip = (work) => [
    `${work.layer}, ${work.name}`, `${general(work.intensity, 4)} FLOP a byte`,
    `${scaledText(work.flops, "FLOP")} over ${scaledText(work.bytes, "B")}`,
    work.time === undefined ? `at most ${scaledText(roof(work.intensity), "FLOP/s")} on this card`
      : `${scaledText(attained(work), "FLOP/s")} in ${secondsText(number(field.measured(work.time)))}`,
  ];
  const points = [
    ...all.map((work) => ({ work, x: x(work.intensity), y: y(attained(work) || roof(work.intensity)), up: true })),
    ...all.map((work) => ({ work, x: x(work.intensity), y: lane(work.layer), up: false })),
  ].map((point) => ({ ...point, lines: tip(point.work), go: () => goToRow(point.work.row) }));
  const fp32 = card.peaks.float32;
  const roofs = [
    draw("path", { class: "roof", d: `M${x(low)} ${y(roof(low))}L${x(ridge)} ${y(peak)}L${x(high)} ${y(peak)}` }),
    fp32 && fp32 < peak && dtype !== "float32" ? draw("path", { class: "roof thin", d: `M${x(Math.max(fp32 / card.bandwidth, low))} ${y(fp32)}L${x(high)} ${y(fp32)}` }) : null,
    draw("line", { class: "ridge", x1: x(ridge), x2: x(ridge), y1: y(peak), y2: bottom }),
    draw("text", { class: "title", x: box.right, y: y(peak) - 6, "text-anchor": "end" }, `${scaledText(peak, "FLOP/s")}${narrow ? "" : `, tensor cores, ${dtype}`}`),
    fp32 && fp32 < peak && dtype !== "float32" ? draw("text", { class: "title", x: box.right, y: y(fp32) + 13, "text-anchor": "end" }, `${scaledText(fp32, "FLOP/s")}${narrow ? " fp32" : ", CUDA cores, fp32"}`) : null,
    narrow ? null : draw("text", { class: "title", x: x(ridge) - 5, y: lanesTop - 6, "text-anchor": "end" }, "memory bound"),
    narrow ? null : draw("text", { class: "title", x: x(ridge) + 5, y: lanesTop - 6 }, "compute bound"),
  ].filter(Boolean);
  const lanes = layers.map((layer) => [
    draw("line", { class: "grid", x1: box.left, x2: box.right, y1: lane(layer), y2: lane(layer) }),
    draw("text", { x: box.left - 8, y: lane(layer) + 3.5, "text-anchor": "end" }, shortened(narrow ? layer.split(".").at(-1) : layer, narrow ? 17 : 32)),
  ]);
  const marks = points.map(({ work, x: left, y: top, up }) => {
    const at = groupOf(work.layer);
    return marker(at, left, top, `mark small tone-${at % 4}${up && work.time === undefined ? " pale" : " full"}`);
  });
  const frame = axes(box, x, y, {
    xText: (value) => value < 1 ? general(value, 3) : figure(value), yText: (value) => scaledText(value, "", 3),
    xTitle: "FLOP a byte", yTitle: "FLOP/s",
  });
  return { height: bottom + 8, parts: [frame, lanes.flat(), roofs, marks], points: points.sort((one, other) => one.x - other.x) };
}

function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
