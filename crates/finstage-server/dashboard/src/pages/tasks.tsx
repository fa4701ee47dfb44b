// What the service does by itself and when next, and the queue of what it is to do.
import { useState } from "preact/hooks";
import { change, Failure, path, useResource } from "../api";
import * as f from "../format";
import { Time } from "../parts/said";
import { Around, Empty, Scroll, Section, Segments } from "../parts/states";
import { place, refine } from "../router";
import type { Page, Schedule, Task } from "../shapes";
import { useStore } from "../store";
import { jobWords, taskWords, whenWords } from "../told";
import { known, t } from "../words";

const EVERY_MS = 5_000;
const STATES = ["", "running", "ready", "waiting", "done", "dead", "cancelled"] as const;
const OPEN = ["running", "ready", "waiting"];

export function Tasks() {
  return (
    <>
      <header class="page-head">
        <h1>{t("tasks")}</h1>
      </header>
      <Section title={t("schedules")}>
        <Schedules />
      </Section>
      <Section title={t("queue_of_tasks")}>
        <Queue />
      </Section>
    </>
  );
}

function At({ at }: { at: string }) {
  return (
    <span class="nowrap">
      <Time at={at} />
    </span>
  );
}

function Schedules() {
  const found = useResource<Page<Schedule>>(path("schedules", { limit: 500 }), EVERY_MS * 6);
  return (
    <Around of={found}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title={t("none")} />
        ) : (
          <Scroll label={t("schedules")}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t("job")}</th>
                  <th scope="col">{t("job_when")}</th>
                  <th scope="col">{t("job_last")}</th>
                  <th scope="col">{t("job_next")}</th>
                </tr>
              </thead>
              <tbody>
                {items.map((job) => (
                  <tr key={job.name}>
                    <th scope="row">
                      <span title={jobWords(job)}>{known("job_", job.name)}</span>
                    </th>
                    <td class="nowrap">{whenWords(job.when)}</td>
                    <td>{job.last_at ? <At at={job.last_at} /> : f.NONE}</td>
                    <td>{!job.enabled ? <span class="muted">{t("job_off")}</span> : job.next[0] ? <At at={job.next[0]} /> : f.NONE}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )
      }
    </Around>
  );
}

function Queue() {
  const { query } = useStore(place);
  const state = query.get("state") ?? "";
  const found = useResource<Page<Task>>(path("tasks", { limit: 100, state }), EVERY_MS);
  const [note, setNote] = useState("");
  const cancel = async (task: Task) => {
    try {
      await change("POST", path(`tasks/${task.id}/cancel`));
      setNote(t("task_cancel_asked", { id: task.id }));
    } catch (error) {
      setNote(error instanceof Failure ? error.message || t("error_server", { status: error.status }) : String(error));
    }
    found.reload();
  };
  return (
    <>
      <div class="filters">
        <Segments label={t("task_state")} value={state} options={STATES.map((one) => [one as string, one ? known("task_", one) : t("all")] as const)} choose={(chosen) => refine({ state: chosen })} />
      </div>
      <p role="status" class="note">
        {note}
      </p>
      <Around of={found}>{({ items }) => (items.length === 0 ? <Empty title={t("none")} why={t("tasks_none")} /> : <Table tasks={items} cancel={cancel} />)}</Around>
    </>
  );
}

function Table({ tasks, cancel }: { tasks: Task[]; cancel: (task: Task) => Promise<void> }) {
  return (
    <Scroll label={t("queue_of_tasks")}>
      <table>
        <thead>
          <tr>
            <th scope="col" class="right">
              {t("task_id")}
            </th>
            <th scope="col">{t("job")}</th>
            <th scope="col">{t("task_state")}</th>
            <th scope="col" class="right">
              {t("task_tries")}
            </th>
            <th scope="col">{t("time")}</th>
            <th scope="col">{t("task_says")}</th>
            <th scope="col">
              <span class="hidden-text">{t("task_cancel")}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tasks.map((task) => (
            <tr key={task.id}>
              <td class="right num">{task.id}</td>
              <th scope="row">{known("job_", task.type)}</th>
              <td class="nowrap">
                {task.state === "dead" ? <b class="miss">{known("task_", task.state)}</b> : known("task_", task.state)}
                {task.state === "running" && (
                  <>
                    {" "}
                    <progress max={1} value={task.progress} aria-label={t("task_progress")} /> <span class="num muted">{f.share(task.progress, 0)}</span>
                  </>
                )}
              </td>
              <td class="right num nowrap">
                {f.count(task.attempts)} <span class="muted">/ {f.count(task.attempts_max)}</span>
              </td>
              <td>
                <At at={task.finished_at ?? task.leased_at ?? task.run_at} />
              </td>
              <td class="long">{taskWords(task) || f.NONE}</td>
              <td>
                {OPEN.includes(task.state) && !task.cancel_asked && (
                  <button type="button" aria-label={`${t("task_cancel")}: ${task.id}`} onClick={() => void cancel(task)}>
                    {t("task_cancel")}
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
