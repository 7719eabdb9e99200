// Signing in: the form's button leads to the provider of accounts, which sends the browser back to this page.

import { Problem, ask, put, tell } from "./door.js";
import { t } from "./words.js";

let needed = false;
let other = false;

// What the gate told about the link: whether it asks for an account, and whether somebody signed in with one. Returns
// whether that comes first.
export function begin(about) {
  const account = about.account || {};
  needed = (about.needs || []).includes("account");
  const signed = needed && account.signed ? String(account.signed) : "";
  other = Boolean(signed) && !account.fits;
  put("provider", String(account.provider || ""));
  put("account_to", String(account.to || ""));
  put("account_domain", String(account.domain || "").replace(/^\*\./, ""));
  put("account", signed);
  const away = needed && (!account.provider || account.problem === "sign_in_unavailable");
  tell({
    account: !needed ? "no" : other ? "other" : signed ? "signed" : "sign",
    account_for: account.to ? "one" : account.domain ? "domain" : "any",
    account_problem: away ? "unavailable" : account.problem ? "failed" : "no",
  });
  return needed && (!signed || other);
}

// Leave for the provider. The link comes back with the browser; this page keeps nothing of it.
export async function leave(token, again = other) {
  const { location: target } = await ask("/join/sign", { token, ...(again && { again }) });
  const provider = URL.canParse(String(target)) ? new URL(String(target)) : null;
  const near = provider && provider.protocol === "http:" && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(provider.hostname);
  if (!provider || (provider.protocol !== "https:" && !near)) throw new Problem("fault", t("script.elsewhere"));
  location.replace(provider.href);
}

// Whether a click on the form's button leads to the provider. If so, the page is about to go.
export async function leavesFirst(form, token) {
  if (!needed || form.querySelector('[data-when="step=sign"]').hidden) return false;
  await leave(token);
  return true;
}
