// Moments in the reader's own time zone. `epoch` is in seconds.

const DAY = 86400;

// English words, and the reader's own order of day and month where they read English.
const english = (navigator.languages || []).find((tag) => tag.toLowerCase().startsWith("en")) || "en-GB";

export function moment(epoch, now = Date.now() / 1000) {
  const far = Math.abs(epoch - now) > 300 * DAY;
  return new Intl.DateTimeFormat(english, {
    weekday: far ? undefined : "long",
    day: "numeric",
    month: "long",
    year: far ? "numeric" : undefined,
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  }).format(new Date(epoch * 1000));
}

// "in 6 days", "2 hours ago": rounded towards now, so that it never promises more time than there is.
export function distance(epoch, now = Date.now() / 1000) {
  const seconds = epoch - now;
  const size = Math.abs(seconds);
  const [unit, length] =
    size < 90 * 60 ? ["minute", 60] : size < 48 * 3600 ? ["hour", 3600] : size < 90 * DAY ? ["day", DAY] : ["month", 30.44 * DAY];
  const count = Math.trunc(seconds / length);
  if (count === 0) return seconds >= 0 ? "in less than a minute" : "just now";
  return new Intl.RelativeTimeFormat("en", { numeric: "always" }).format(count, unit);
}

for (const element of document.querySelectorAll("time[datetime]")) {
  const epoch = Date.parse(element.dateTime) / 1000;
  if (Number.isFinite(epoch)) element.textContent = moment(epoch);
}
