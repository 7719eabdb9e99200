// The page of a visit that is over, for the browser that held it. Its address may be any below the visit.

import { canReport } from "./report.js";
import { canAskForTime, time } from "./time.js";

const found = location.pathname.match(/^(?:\/s\/[^/]+)?\/~[^/]+\//);
if (found) {
  const [base] = found;
  canReport(`${base}-/report`);
  const element = document.querySelector("[data-time]");
  if (element) {
    time(element.dataset.time);
    canAskForTime(`${base}-/time`, () => ({}), async () => {
      let said;
      try {
        said = await (await fetch(`${base}-/time`, { cache: "no-store", headers: { Accept: "application/json" } })).json();
      } catch {
        return; // offline: it looks again
      }
      // There is more: the visit goes on where it began.
      if (said.state === "granted") location.replace(base);
      else if (said.state) time(said.state);
    });
  }
}
