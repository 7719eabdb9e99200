// Telling the admins that a share looks wrong. The answer is a thank you, whatever becomes of it.

import { ask, form, onSend, say } from "./door.js";
import { t } from "./words.js";

// `about()` gives what goes with it: the token at the door; nothing below a visit, whose cookie says who it is.
export function canReport(address, about = () => ({})) {
  const element = form("report");
  if (!element) return;
  const done = element.parentElement.querySelector("[data-form-done]");
  onSend(element, t("script.sending"), async () => {
    const concern = element.querySelector("input[name=concern]:checked").value;
    await ask(address, { ...about(), concern, text: element.querySelector("textarea").value.trim() });
    element.hidden = true;
    done.hidden = false;
    done.focus();
    say(done.textContent);
  });
}
