// The keyboard: rows by j and k, pages by g and a letter.
import { go, to } from "./router";
import { Store } from "./store";

export const help = new Store(false);

/** The letter after `g`, and where it goes. */
export const LETTERS = [
  ["s", "signals"],
  ["m", "markets"],
  ["e", "strategies"],
  ["t", "track"],
  ["a", "alerts"],
  ["n", "news"],
  ["r", "report"],
  ["d", "data"],
  ["q", "tasks"],
  ["y", "system"],
] as const;

const WAIT_FOR_LETTER_MS = 1500;
let went = 0;

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function step(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  const at = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement));
  const row = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))];
  row?.focus();
  row?.scrollIntoView({ block: "nearest" });
}

function press(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (isWriting(event.target)) (event.target as HTMLElement).blur();
    return;
  }
  if (isWriting(event.target) || help.value) return;
  if (Date.now() - went < WAIT_FOR_LETTER_MS) {
    went = 0;
    const page = LETTERS.find(([letter]) => letter === event.key)?.[1];
    if (page) {
      event.preventDefault();
      go(to(page));
      return;
    }
  }
  switch (event.key) {
    case "j":
      step(1);
      break;
    case "k":
      step(-1);
      break;
    case "g":
      went = Date.now();
      break;
    case ".":
      document.querySelector<HTMLElement>("[data-newest]")?.click();
      window.scrollTo({ top: 0 });
      break;
    case "/": {
      const field = document.querySelector<HTMLElement>("main [data-search]");
      if (!field) return;
      field.focus();
      break;
    }
    case "?":
      help.set(true);
      break;
    default:
      return;
  }
  event.preventDefault();
}

export function begin(): void {
  document.addEventListener("keydown", press);
}
