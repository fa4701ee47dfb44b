// What the reader chose, kept in this browser.
import { Store } from "./store";

export type Language = "en" | "ko";
export type Theme = "auto" | "light" | "dark";
/** Colours of up and down: by the page's language, by the market of the instrument, or fixed. */
export type Colours = "language" | "market" | "green_up" | "red_up";

export interface Settings {
  language: Language | null;
  theme: Theme;
  colours: Colours;
}

const KEY = "finstage";
const THEMES: readonly Theme[] = ["auto", "light", "dark"];
const COLOURS: readonly Colours[] = ["language", "market", "green_up", "red_up"];

export function read(text: string | null): Settings {
  const fallback: Settings = { language: null, theme: "auto", colours: "language" };
  if (!text) return fallback;
  try {
    const value = JSON.parse(text) as Partial<Settings>;
    return {
      language: value.language === "en" || value.language === "ko" ? value.language : null,
      theme: THEMES.find((theme) => theme === value.theme) ?? fallback.theme,
      colours: COLOURS.find((colours) => colours === value.colours) ?? fallback.colours,
    };
  } catch {
    return fallback;
  }
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export const settings = new Store<Settings>(read(typeof localStorage === "undefined" ? null : stored()));

export function choose(change: Partial<Settings>): void {
  settings.set({ ...settings.value, ...change });
  try {
    localStorage.setItem(KEY, JSON.stringify(settings.value));
  } catch {
    // A private window forgets; the choice still holds for this visit.
  }
}

export function isKorean(symbol: string): boolean {
  return symbol.startsWith("kis:") || /\.K[SQ]$/.test(symbol);
}

/** Whether a rise is red (as in Korea) for this instrument. */
export function isRedUp(symbol: string | null, language: Language, colours: Colours): boolean {
  switch (colours) {
    case "green_up":
      return false;
    case "red_up":
      return true;
    case "language":
      return language === "ko";
    case "market":
      return symbol === null ? language === "ko" : isKorean(symbol);
  }
}
