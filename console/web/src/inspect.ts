// What tests see of the page's inside: `window.__console`, only where a test drives the browser.

type Members = Record<string, (...given: never[]) => unknown>;

/** Offers functions to tests; gives what takes them back. */
export function expose(members: Members): () => void {
  if (!isTested()) return () => undefined;
  const holder = window as unknown as { __console?: Members };
  holder.__console = { ...holder.__console, ...members };
  return () => {
    for (const name of Object.keys(members)) delete holder.__console?.[name];
  };
}

export function isTested(): boolean {
  return navigator.webdriver || new URLSearchParams(location.search).has("test");
}
