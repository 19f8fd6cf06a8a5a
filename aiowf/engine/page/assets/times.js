/* Moments and durations, as people read them. Argo tells times in whole seconds. */

const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

/** Return the seconds since 1970 of a time stamp, or null. */
export function seconds(stamp) {
  const moment = Date.parse(stamp ?? "");
  return Number.isNaN(moment) ? null : moment / 1000;
}

/** Return the time now, in seconds since 1970. */
export const now = () => Date.now() / 1000;

/** Return a duration in at most two units: "3 min 20 s". */
export function duration(length) {
  const whole = Math.max(0, Math.floor(length));
  if (whole < 1) return "< 1 s";
  const first = UNITS.findIndex(([, size]) => whole >= size);
  const [name, size] = UNITS[first];
  const major = `${Math.floor(whole / size)} ${name}`;
  if (first === UNITS.length - 1) return major;
  const [small, unit] = UNITS[first + 1];
  const minor = Math.floor((whole % size) / unit);
  return minor ? `${major} ${minor} ${small}` : major;
}

/** Return how long ago a moment was, in one unit. */
export function age(moment) {
  if (moment === null) return "";
  const whole = Math.max(0, Math.floor(now() - moment));
  const [name, size] = UNITS.find(([, one]) => whole >= one) ?? UNITS[3];
  return whole < 2 ? "just now" : `${Math.floor(whole / size)} ${name} ago`;
}

/** Return how long something ran, or has run so far; "" if it has not begun. */
export function span(thing) {
  const start = seconds(thing.startedAt);
  return start === null ? "" : duration((seconds(thing.finishedAt) ?? now()) - start);
}

/** Return a moment in the reader's own time. */
export function moment(stamp) {
  const when = seconds(stamp);
  return when === null ? "" : new Date(when * 1000).toLocaleString();
}
