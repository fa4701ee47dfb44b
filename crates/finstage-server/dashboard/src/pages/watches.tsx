// Watches of one instrument: facts about its price, without a verdict.
import { useState } from "preact/hooks";
import { change, Failure, path, useResource } from "../api";
import { Around, Empty } from "../parts/states";
import type { Watch } from "../shapes";
import { t, type Word } from "../words";

const RULES = [
  ["rise", "watch_rise", "%"],
  ["drop", "watch_drop", "%"],
  ["above", "watch_above", ""],
  ["below", "watch_below", ""],
  ["drop_from_high", "watch_drop_from_high", "%"],
  ["new_high", "watch_new_high", null],
  ["prev_high", "watch_prev_high", null],
  ["prev_low", "watch_prev_low", null],
] as const satisfies readonly (readonly [string, Word, string | null])[];

type Rule = (typeof RULES)[number];

export function inWords(rule: string): string {
  const [kind = "", value = ""] = rule.split("=", 2);
  const found = RULES.find(([name]) => name === kind);
  if (!found) return rule;
  const words = t(found[1]);
  if (found[2] === null || !value) return words;
  return words.endsWith("%") ? words.replace(/%$/, value) : `${words} ${value}`;
}

export function Watches({ symbol }: { symbol: string }) {
  const found = useResource<{ items: Watch[] }>(path("watches", { limit: 500 }));
  const [note, setNote] = useState<{ text: string; bad: boolean } | null>(null);
  const attempt = async (what: () => Promise<unknown>, done: string) => {
    try {
      await what();
      setNote({ text: done, bad: false });
      found.reload();
    } catch (error) {
      const said = error instanceof Failure ? error.message || t("error_server", { status: error.status }) : String(error);
      setNote({ text: said, bad: true });
    }
  };
  return (
    <>
      <Around of={found}>
        {({ items }) => {
          const mine = items.filter((watch) => watch.symbol === symbol);
          return mine.length === 0 ? (
            <Empty title={t("none")} why={t("watches_none")} />
          ) : (
            <ul class="watch-rows">
              {mine.map((watch) => (
                <li key={watch.id}>
                  <span>
                    {inWords(watch.rule)} <code class="muted">{watch.rule}</code>
                  </span>
                  {watch.origin === "config" ? (
                    <span class="muted">{t("watch_config")}</span>
                  ) : (
                    <button type="button" aria-label={`${t("watch_remove")}: ${watch.rule}`} onClick={() => void attempt(() => change("DELETE", path(`watches/${encodeURIComponent(watch.id)}`)), t("watch_removed"))}>
                      {t("watch_remove")}
                    </button>
                  )}
                </li>
              ))}
            </ul>
          );
        }}
      </Around>
      <Add
        add={(rule) => attempt(() => change("POST", path("watches"), { symbol, rule }), t("watch_added"))}
        refuse={(text) => setNote({ text, bad: true })}
      />
      <p role="status" class={note?.bad ? "note-bad" : "note"}>
        {note?.text}
      </p>
    </>
  );
}

function Add({ add, refuse }: { add: (rule: string) => Promise<void>; refuse: (text: string) => void }) {
  const [rule, setRule] = useState<Rule>(RULES[0]);
  const [value, setValue] = useState("3");
  const unit = rule[2];
  const submit = (event: Event) => {
    event.preventDefault();
    const number = value.trim().replace(/%$/, "");
    if (unit === null) return void add(rule[0]);
    if (!/^\d+(\.\d+)?$/.test(number) || Number(number) <= 0) return refuse(t("watch_needs_value"));
    void add(`${rule[0]}=${number}${unit}`);
  };
  return (
    <form class="add" onSubmit={submit}>
      <select aria-label={t("watch_rule")} value={rule[0]} onChange={(event) => setRule(RULES.find(([name]) => name === event.currentTarget.value) ?? RULES[0])}>
        {RULES.map(([name, words]) => (
          <option value={name}>{t(words)}</option>
        ))}
      </select>
      {unit !== null && <input aria-label={t("watch_value")} inputMode="decimal" size={8} value={value} onInput={(event) => setValue(event.currentTarget.value)} />}
      <button type="submit">{t("watch_add")}</button>
    </form>
  );
}
