// Moments in the reader's own time zone, in the page's language. `epoch` is in seconds.

import { language, t } from "./words.js";

const DAY = 86400;

// The reader's own order of day and month where they read that language.
const own = (navigator.languages || []).find((tag) => tag.toLowerCase().split("-")[0] === language.toLowerCase());
const written = own || (language === "en" ? "en-GB" : language);

export function moment(epoch, now = Date.now() / 1000) {
  const far = Math.abs(epoch - now) > 300 * DAY;
  return new Intl.DateTimeFormat(written, {
    weekday: far ? undefined : "long",
    day: "numeric",
    month: "long",
    year: far ? "numeric" : undefined,
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  })
    .format(new Date(epoch * 1000))
    // The zone stays with its time at the end of a line.
    .replace(/ (?=\S+$)/, "\u00a0");
}

// "in 6 days", "2 hours ago": rounded towards now, so that it does not promise more time than there is; but of the days
// that are left it is the nearest number, or a link for seven days would be one for six when it is opened.
export function distance(epoch, now = Date.now() / 1000) {
  const seconds = epoch - now;
  const size = Math.abs(seconds);
  const [unit, length] =
    size < 90 * 60 ? ["minute", 60] : size < 48 * 3600 ? ["hour", 3600] : size < 90 * DAY ? ["day", DAY] : ["month", 30.44 * DAY];
  const count = (unit === "day" && seconds > 0 ? Math.round : Math.trunc)(seconds / length);
  if (count === 0) return seconds >= 0 ? t("script.soon") : t("script.just_now");
  return ago(count, unit);
}

export const ago = (count, unit) => new Intl.RelativeTimeFormat(written, { numeric: "always" }).format(count, unit);

for (const element of document.querySelectorAll("time[datetime]")) {
  const epoch = Date.parse(element.dateTime) / 1000;
  if (Number.isFinite(epoch)) element.textContent = moment(epoch);
}
