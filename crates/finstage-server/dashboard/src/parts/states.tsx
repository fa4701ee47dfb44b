// What stands where there is nothing to show: waiting, empty, failed.
import type { ComponentChildren } from "preact";
import type { Failure } from "../api";
import { t } from "../words";
import { Sentence } from "./said";

export function Loading() {
  return (
    <div class="loading" role="status">
      <span class="hidden-text">{t("loading")}</span>
      <i />
      <i />
      <i />
    </div>
  );
}

export function Empty({ title, why, children }: { title: string; why?: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {why && (
        <p>
          <Sentence text={why} />
        </p>
      )}
      {children}
    </div>
  );
}

export function remedy(failure: Failure): string {
  if (failure.status === 0) return t("error_no_answer");
  if (failure.status === 404) return t("error_not_found");
  return t("error_server", { status: failure.status });
}

export function ErrorNote({ failure, retry }: { failure: Failure; retry?: () => void }) {
  return (
    <div class="error" role="alert">
      <p class="empty-title">{t("error_title")}</p>
      {failure.message && <p class="error-detail">{failure.message}</p>}
      <p>
        <Sentence text={remedy(failure)} />
      </p>
      {retry && (
        <button type="button" onClick={retry}>
          {t("retry")}
        </button>
      )}
    </div>
  );
}

/** A resource's three states around its content. */
export function Around<T>({ of, children }: { of: { data: T | null; error: Failure | null; reload: () => void }; children: (data: T) => ComponentChildren }) {
  if (of.data !== null) {
    return (
      <>
        {of.error && <ErrorNote failure={of.error} retry={of.reload} />}
        {children(of.data)}
      </>
    );
  }
  return of.error ? <ErrorNote failure={of.error} retry={of.reload} /> : <Loading />;
}

export function Section({ title, side, children, id }: { title: string; side?: ComponentChildren; children: ComponentChildren; id?: string }) {
  return (
    <section class="section" aria-label={title} id={id}>
      <header>
        <h2>{title}</h2>
        {side && <div class="section-side">{side}</div>}
      </header>
      {children}
    </section>
  );
}

/** A table that scrolls in its own box where it is wider than the page. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}

/** One of a few, as buttons. */
export function Segments<T extends string>({ label, value, options, choose }: { label: string; value: T; options: readonly (readonly [T, string])[]; choose: (value: T) => void }) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map(([key, words]) => (
        <button type="button" aria-pressed={key === value} onClick={() => choose(key)}>
          {words}
        </button>
      ))}
    </div>
  );
}
