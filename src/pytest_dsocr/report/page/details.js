// What is below a row of the table that is open.

function detailsOf(row) {
  const metric = field.metric(row);
  const title = `${field.layer(row)}, ${field.case(row)}, ${label(metric)}`;
  return make("div", { class: "details", role: "group", "aria-label": title },
    field.reason(row) ? make("p", { class: "reason" }, field.reason(row)) : null,
    facts([
      ["predicted", figureOf(metric, field.predicted(row))],
      ["measured", figureOf(metric, field.measured(row))],
      ["difference", differenceText(row)],
      ["allowed", allowedText(row)],
      ...storedFigures(row),
    ], "figures"),
    samplesPlot(row),
    termsTable(row),
    facts([
      ["tolerance", `${allowedText(row)}, by ${field.rule(row)}`],
      ["because", field.because(row)],
      ["band", (field.band(row) ?? []).map((end) => figureOf(metric, end)).join(" to ")],
      ["predicted by", field.source(row)],
      ["mean", meanText(row)],
      ["spread", field.spread(row) === null ? "" : `${percent(number(field.spread(row)))} of the measured`],
      ...otherFigures(row),
      ["baseline", standingText(row)],
      ["sizes", sizesText(field.sizes(row))],
      ["measured on", deviceText(row)],
      ["as", [field.model(row), field.implementation(row), field.attention(row) && `${field.attention(row)} attention`, field.dtype(row)].filter(Boolean).join(", ")],
      ["how", field.notes(row)],
      ["test", field.test(row)],
    ]));
}

function differenceText(row) {
  const metric = field.metric(row);
  const relative = relativeText(row);
  const text = signedOf(metric, difference(field.predicted(row), field.measured(row)));
  return relative && relative !== "0%" ? `${text} (${relative})` : text;
}

function meanText(row) {
  const { mean_s: mean, stdev_s: deviation } = field.details(row) ?? {};
  if (mean === undefined) return "";
  return deviation === undefined ? secondsText(number(mean)) : `${secondsText(number(mean))} ± ${secondsText(number(deviation))}`;
}

function otherFigures(row) {
  return Object.entries(field.details(row) ?? {})
    .filter(([name]) => name !== "mean_s" && name !== "stdev_s")
    .map(([name, value]) => [name.replace(/_s$/, "").replaceAll("_", " "), figureOf(name, value)]);
}

function storedFigures(row) {
  const stored = baseline(row);
  if (!stored || stored.measured === null) return [];
  const metric = field.metric(row);
  return [["stored", figureOf(metric, stored.measured)], ["change", changeText(stored)]];
}

function changeText(stored) {
  if (stored.relative === null || !Number.isFinite(number(stored.relative))) {
    return stored.measured === null ? stored.change : `${stored.change}, from ${figure(stored.measured)}`;
  }
  return stored.change === "same" && number(stored.relative) === 0 ? "same" : `${stored.change} ${signedPercent(stored.relative)}`;
}

function standingText(row) {
  const stored = baseline(row);
  if (!stored) return "";
  const p = stored.p === null ? "" : `rank test: p = ${general(number(stored.p), 2)}`;
  return [changeText(stored), p, stored.reason, stored.source && `in ${stored.source}`].filter(Boolean).join("; ");
}
