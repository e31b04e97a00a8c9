// The rows, column by column. A row is its number; `field.layer(row)` looks one of its fields up.

const data = JSON.parse(document.getElementById("data").textContent);
const texts = data.texts;
const TEXT_FIELDS = [
  "model", "implementation", "attention", "dtype", "layer", "case", "metric", "rule", "because", "reason", "test",
  "source", "notes", "verdict", "grid",
];
const FIELDS = ["predicted", "measured", "relative_difference", "spread", "rtol", "details", "band", "samples"];

function lookUp(name) {
  const column = data.columns[name];
  return Array.isArray(column) ? (row) => column[row] : () => column.all;
}

const field = {};
for (const name of TEXT_FIELDS) {
  const place = lookUp(name);
  field[name] = (row) => texts[place(row)];
}
for (const name of FIELDS) field[name] = lookUp(name);
for (const name of ["sizes", "devices"]) {
  const place = lookUp(name === "devices" ? "device" : name);
  field[name] = (row) => data[name][place(row)];
}

const allRows = Array.from({ length: data.count }, (_, row) => row);
const label = (metric) => data.labels[metric];
const deviceText = (row) => texts[field.devices(row).said];

// How a row stands against the baseline; null where there is none.
const standingOf = lookUp("baseline");
function baseline(row) {
  const found = standingOf(row);
  if (!found) return null;
  const [change, measured, relative, p, source, reason] = found;
  return { change: texts[change], measured, relative, p, source: texts[source], reason: texts[reason] };
}

// What a row's figures are made of: predicted ops, and what was counted for them.
const termsOf = lookUp("terms");
function terms(row) {
  const found = termsOf(row);
  if (!found) return [];
  const [shape, predicted, measured = predicted] = found;
  return data.shapes[shape].map(([op, kind, launches, call, calls], at) => ({
    op: texts[op], kind: texts[kind], launches, predicted: predicted[at],
    call: texts[call], calls, measured: measured[at],
  }));
}

// A figure as a number that can be compared; whole numbers beyond 2^53 and what is no number come as strings.
function number(value) {
  if (typeof value !== "string") return value ?? NaN;
  return { inf: Infinity, "-inf": -Infinity }[value] ?? Number(value);
}

function difference(predicted, measured) {
  const exact = (value) => typeof value === "string" ? /^-?\d+$/.test(value) : Number.isInteger(value);
  if (exact(predicted) && exact(measured)) {
    const found = BigInt(predicted) - BigInt(measured);
    return Number.isSafeInteger(Number(found)) ? Number(found) : String(found);
  }
  return number(predicted) - number(measured);
}

const distinct = (values) => [...new Set(values)];
const collator = new Intl.Collator("en", { numeric: true });
const VERDICTS = ["error", "fail", "inconclusive", "not run", "pass"]; // the worst first
const MARKS = { pass: "✓", fail: "✗", error: "!", inconclusive: "?", "not run": "-" };
