// Questions that have to be answered before something happens. The browser's own dialog keeps the focus inside, closes on
// Escape and gives the focus back to where it came from.

import { h, setText, type Child } from "../dom.js";

export interface Question {
  title: string;
  /** What will happen, as sentences or elements. */
  body: Child[];
  /** On the button that does it. */
  yes: string;
  isDangerous?: boolean;
  /** Does it; what it throws is shown in the dialog, which stays open. */
  act: (form: FormData) => Promise<unknown>;
  /** As a sentence. */
  explain: (error: unknown) => string;
}

/** Asks; true when it was done, false when the person thought better of it. */
export function ask(question: Question): Promise<boolean> {
  return new Promise((answered) => {
    let isDone = false;
    const id = `dialog-${Math.random().toString(36).slice(2)}`;
    const fault = h("p", { class: "field-error", role: "alert", hidden: true });
    const yes = h("button", { type: "submit", class: `button ${question.isDangerous ? "button-danger" : "button-primary"}`, "data-testid": "dialog-yes" }, question.yes);
    const no = h("button", { type: "button", class: "button", "data-testid": "dialog-no", onclick: () => dialog.close() }, "Cancel");
    const form = h(
      "form",
      { class: "dialog-form" },
      h("h2", { id }, question.title),
      h("div", { class: "dialog-body" }, ...question.body),
      fault,
      h("div", { class: "dialog-end" }, no, yes),
    );
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": id }, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (yes.disabled) return;
      yes.disabled = true;
      fault.hidden = true;
      question.act(new FormData(form)).then(
        () => {
          isDone = true;
          dialog.close();
        },
        (error: unknown) => {
          yes.disabled = false;
          setText(fault, question.explain(error));
          fault.hidden = false;
        },
      );
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      answered(isDone);
    });
    // What is dangerous does not happen by pressing Enter twice.
    if (question.isDangerous) no.setAttribute("autofocus", "");
    document.body.append(dialog);
    dialog.showModal();
  });
}
