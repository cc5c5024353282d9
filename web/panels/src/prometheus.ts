// Queries of a panel, as Grafana would send them, and what comes back, as Grafana's frames.

import { type DataFrame, FieldType } from "@grafana/data";

export type Target = { refId: string; expr: string; legendFormat: string; instant?: boolean };
export type Span = { start: number; end: number; step: number };
type Series = { metric: Record<string, string>; values: [number, string][] };

/** What stands in the place of variables: everything is chosen, as the dashboards begin. */
function filled(expr: string, span: Span): string {
  const own: Record<string, string> = {
    __rate_interval: `${Math.max(4 * span.step, 15)}s`,
    __range: `${span.end - span.start}s`,
  };
  return expr.replace(/\$(\w+)/g, (_, name: string) => own[name] ?? ".*");
}

async function ask(path: string, parameters: Record<string, string>): Promise<any[]> {
  const answer = await fetch(`/prometheus/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const body = await answer.json();
  if (body.status !== "success") throw new Error(body.error);
  return body.data.result;
}

function legend(format: string, labels: Record<string, string>): string {
  return format.replace(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? "");
}

/** A frame a series: time and value. */
export async function series(targets: Target[], span: Span): Promise<DataFrame[]> {
  const frames: DataFrame[] = [];
  for (const target of targets) {
    const query = filled(target.expr, span);
    const { start, end, step } = span;
    const results: Series[] = target.instant
      ? (await ask("query", { query, time: `${end}` })).map((r) => ({ ...r, values: [r.value] }))
      : await ask("query_range", { query, start: `${start}`, end: `${end}`, step: `${step}` });
    for (const { metric, values } of results) {
      const name = legend(target.legendFormat, metric).trim() || "value";
      frames.push({
        refId: target.refId,
        length: values.length,
        fields: [
          { name: "Time", type: FieldType.time, config: {}, values: values.map(([t]) => t * 1000) },
          {
            name: "Value",
            type: FieldType.number,
            config: { displayNameFromDS: name },
            labels: metric,
            values: values.map(([, v]) => Number(v)),
          },
        ],
      });
    }
  }
  return frames;
}

/** One frame: a row a series, a column a label. */
export async function rows(targets: Target[], span: Span): Promise<DataFrame[]> {
  const found = await ask("query", { query: filled(targets[0].expr, span), time: `${span.end}` });
  const labels = [...new Set(found.flatMap((one) => Object.keys(one.metric)))].sort();
  const fields = labels.map((label) => ({
    name: label,
    type: FieldType.string,
    config: {},
    values: found.map((one) => one.metric[label] ?? ""),
  }));
  return found.length ? [{ refId: "A", length: found.length, fields }] : [];
}
