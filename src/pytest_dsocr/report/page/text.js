// Figures as people read them, as the terminal writes them.

const MINUS = "-";

function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

// printf's %.6g
function general(value, digits = 6) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const [mantissa, power] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < digits) return String(Number(value.toPrecision(digits)));
  const sign = exponent < 0 ? "-" : "+";
  return `${Number(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

// A count in full, anything else with six digits.
function figure(value) {
  if (typeof value === "string") return /^-?\d+$/.test(value) ? grouped(value) : value;
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return grouped(String(value));
  return general(value);
}

function secondsText(seconds) {
  if (!Number.isFinite(seconds)) return general(seconds);
  const size = Math.abs(seconds);
  const rounded = (value) => Number(value.toPrecision(4));
  const prefixes = !size || rounded(size) >= 1 ? [""] : ["", "m", "µ", "n"];
  let scaled = size;
  let prefix = "";
  for (prefix of prefixes) {
    if (prefix === prefixes.at(-1) || (rounded(scaled) >= 1 && rounded(scaled) < 1000)) break;
    scaled *= 1000;
  }
  const digits = scaled < 1e4 ? scaled.toPrecision(4) : grouped(scaled.toFixed(0));
  return `${seconds < 0 ? MINUS : ""}${digits} ${prefix}s`;
}

const isTime = (metric) => metric.endsWith("_s");

function figureOf(metric, value) {
  return isTime(metric) ? secondsText(number(value)) : figure(value);
}

function signedOf(metric, value) {
  return number(value) > 0 ? `+${figureOf(metric, value)}` : figureOf(metric, value);
}

function percent(share, digits = 3) {
  return `${general(100 * share, digits)}%`;
}

function signedPercent(share, digits = 3) {
  if (share === null || Number.isNaN(number(share))) return "";
  const value = number(share);
  return value > 0 ? `+${percent(value, digits)}` : percent(value, digits);
}

// The difference as a part of the measured.
function relativeText(row) {
  const relative = field.relative_difference(row);
  if (relative === null || Number.isNaN(number(relative))) return "";
  if (number(relative) === 0) return "0%";
  if (!isTime(field.metric(row))) return signedPercent(relative);
  const value = 100 * number(relative);
  return `${value > 0 ? "+" : ""}${value.toFixed(1)}%`;
}

// A tolerance: exact, or its part of the measured.
const allowedText = (row) => field.rtol(row) ? percent(field.rtol(row), 6) : "exact";

// Four digits with a prefix and the unit that a metric's name ends in: 4.676 TFLOP.
function quantity(metric, value, digits = 4) {
  const size = number(value);
  if (isTime(metric)) return secondsText(size);
  const unit = metric.endsWith("_flops") ? "FLOP" : metric.endsWith("_bytes") ? "B" : "";
  return scaledText(size, unit, digits);
}

function scaledText(value, unit, digits = 4) {
  if (!Number.isFinite(value)) return general(value);
  if (Number.isInteger(value) && Math.abs(value) < 1000) return `${value} ${unit}`.trim();
  const prefixes = ["", "k", "M", "G", "T", "P", "E"];
  let scaled = value;
  let at = 0;
  while (Math.abs(Number(scaled.toPrecision(digits))) >= 1000 && at < prefixes.length - 1) {
    scaled /= 1000;
    at += 1;
  }
  return `${Number(scaled.toPrecision(digits))} ${prefixes[at]}${unit}`.trim();
}

function sizesText(sizes) {
  return Object.entries(sizes).map(([name, size]) => `${name}=${figure(size)}`).join(", ");
}

const times = (count) => count > 1 ? ` x ${figure(count)}` : "";
