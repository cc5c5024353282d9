// The switch between the system's theme, light and dark. public/theme.js applies it at the start.

import { h, put } from "./dom";
import * as store from "./store";

const CHOICES = ["system", "light", "dark"] as const;
type Choice = (typeof CHOICES)[number];

const SIGNS: Record<Choice, [string, string]> = { system: ["◐", "System"], light: ["○", "Light"], dark: ["●", "Dark"] };

export function attach(button: HTMLButtonElement): void {
  let choice = CHOICES.find((c) => c === store.theme.get()) ?? "system";
  const show = () => {
    if (choice === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    const [sign, name] = SIGNS[choice];
    put(button, h("span", { "aria-hidden": "true" }, sign), h("span", { class: "wide" }, ` ${name}`));
    button.setAttribute("aria-label", `Theme: ${choice}. Switch.`);
  };
  button.addEventListener("click", () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length] ?? "system";
    store.theme.set(choice === "system" ? null : choice);
    show();
  });
  show();
}
