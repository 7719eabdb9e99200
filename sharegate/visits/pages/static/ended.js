// The page of a visit that is over, for the browser that held it. Its address may be any below the visit.

import { canReport } from "./report.js";

const base = location.pathname.match(/^(?:\/s\/[^/]+)?\/~[^/]+\//);
if (base) canReport(`${base[0]}-/report`);
