// A time: its rounds as a strip, beside what was predicted and what the prediction leaves open.

const STRIP = { most: 560, height: 92, margin: 8, line: 44 };

function samplesPlot(row) {
  if (!isTime(field.metric(row))) return null;
  const samples = field.samples(row) ?? [];
  const predicted = number(field.predicted(row));
  const measured = number(field.measured(row));
  const band = (field.band(row) ?? []).map(number);
  const spread = number(field.spread(row)) || 0;
  const allowed = [measured * (1 - field.rtol(row)), measured * (1 + field.rtol(row))];
  const ends = [...samples.map(number), predicted, measured, ...band, ...allowed].filter(Number.isFinite);
  if (ends.length < 2) return null;
  const { line, margin } = STRIP;
  const width = Math.min(STRIP.most, document.documentElement.clientWidth - 64);
  const scale = linear(Math.min(...ends), Math.max(...ends), margin, width - margin);
  const span = (from, to, className, y, height) => draw("rect", { class: className, x: scale(from), y, width: Math.max(scale(to) - scale(from), 1), height });
  const said = `Predicted ${secondsText(predicted)}, measured ${secondsText(measured)}` +
    (samples.length ? `, ${samples.length} rounds from ${secondsText(Math.min(...samples))} to ${secondsText(Math.max(...samples))}` : "");
  const plot = draw("svg", { class: "strip", viewBox: `0 0 ${width} ${STRIP.height}`, width, role: "img", "aria-label": said },
    span(...allowed, "allowed", line - 16, 32),
    draw("line", { class: "axis", x1: margin, x2: width - margin, y1: line, y2: line }),
    band.length && span(...band, "band", line - 5, 10),
    spread && samples.length === 0 ? span(measured * (1 - spread), measured * (1 + spread), "spread", line - 2, 4) : null,
    samples.map((one, at) => draw("circle", { class: "sample", cx: scale(one), cy: line + ((at * 7) % 5 - 2) * 3.2, r: 2.6 })),
    draw("line", { class: "measured", x1: scale(measured), x2: scale(measured), y1: line - 20, y2: line + 20 }),
    draw("path", { class: "predicted", d: `M${scale(predicted)} ${line - 12}l7 12l-7 12l-7 -12z` }),
    stripLabel(width, scale(measured), line + 34, `measured ${secondsText(measured)}`, "measured"),
    stripLabel(width, scale(predicted), line - 26, `predicted ${secondsText(predicted)}`, "predicted"));
  const key = ["◆ predicted", band.length ? "thick bar: its band" : "", "| measured, the median",
    samples.length ? `● ${figure(samples.length)} rounds` : "", `shaded: the tolerance, ${allowedText(row)}`].filter(Boolean);
  return make("figure", { class: "samples" }, plot, make("figcaption", {}, key.join(" · ")));
}

function stripLabel(width, x, y, text, className) {
  const anchor = x < 90 ? "start" : x > width - 90 ? "end" : "middle";
  return draw("text", { x, y, class: className, "text-anchor": anchor }, text);
}
