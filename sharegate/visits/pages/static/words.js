// The sentences that scripts say, in the language of the page: data at its end.

const data = document.getElementById("words");
const sentences = data ? JSON.parse(data.textContent) : {};

export const language = document.documentElement.lang;

// The sentence, filled in. It is put on the page as text, whatever fills it.
export function t(key, values = {}) {
  return sentences[key].replace(/\{([A-Za-z_]+)\}/g, (_, name) => values[name]);
}
