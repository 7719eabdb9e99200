// A page address that was opened without its cookie. Opening it did nothing; only the form knocks.

import { form, tell } from "./door.js";
import { canKnock } from "./knock.js";

tell({ patience: "short" });
// The path only: a query may hold what somebody else typed.
canKnock(form("address"), "address", (same, name) => ({ address: location.pathname, name, same_person: same }));
