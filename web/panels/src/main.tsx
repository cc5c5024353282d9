// One dashboard as a page, drawn by Grafana's own components. `/#NAME?from=…&to=…&step=…`, times
// in seconds. When all is drawn, the page's title is "drawn".

import {
  createTheme, type DataFrame, dateTime, EventBusSrv, FieldType, getDisplayProcessor,
  getFieldDisplayName, VizOrientation,
} from "@grafana/data";
import {
  BarGauge, BigValue, BigValueColorMode, BigValueGraphMode, BigValueTextMode, GlobalStyles,
  PanelChrome, PanelContextProvider, ThemeContext, TimeSeries,
} from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";
import { type ReactNode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { rows, series, type Span, type Target } from "./prometheus";

type Panel = {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig: { defaults: any; overrides: any[] };
  options: any;
  targets: Target[];
};

const theme = createTheme({ colors: { mode: "dark" } });
const [name, query] = location.hash.slice(1).split("?");
const parameters = new URLSearchParams(query);
const number = (key: string) => Number(parameters.get(key));
const span: Span = { start: number("from"), end: number("to"), step: number("step") };
const WIDTH = 1416, CELL = WIDTH / 24, LINE = 38, GAP = 8;

/** What Grafana's panels expect on a field beside its data. */
function dressed(panel: Panel, frames: DataFrame[]): DataFrame[] {
  const defaults = structuredClone(panel.fieldConfig.defaults);
  for (const step of defaults.thresholds?.steps ?? []) step.value ??= -Infinity;
  let index = 0;
  for (const frame of frames) {
    for (const field of frame.fields) {
      field.config = { ...defaults, ...field.config, custom: defaults.custom ?? {} };
      if (field.type === FieldType.number) {
        const finite = field.values.filter(Number.isFinite);
        const [min, max] = [Math.min(0, ...finite), Math.max(0, ...finite)];
        field.state = { seriesIndex: index++, range: { min, max, delta: max - min } };
      }
      field.display = getDisplayProcessor({ field, theme, timeZone: "utc" });
    }
  }
  for (const frame of frames) {
    for (const field of frame.fields) {
      field.state = { ...field.state, displayName: getFieldDisplayName(field, frame, frames) };
    }
  }
  return frames;
}

function Content({ panel, frames, width, height }:
  { panel: Panel; frames: DataFrame[]; width: number; height: number }): ReactNode {
  if (frames.length === 0) return <div style={{ padding: 16, opacity: 0.6 }}>No data</div>;
  const values = frames.flatMap((frame) => frame.fields.filter((f) => f.type === FieldType.number));
  switch (panel.type) {
    case "timeseries": {
      const range = { from: dateTime(span.start * 1000), to: dateTime(span.end * 1000) };
      return (
        <TimeSeries frames={frames} width={width} height={height} timeZone="utc"
          timeRange={{ ...range, raw: range }} legend={panel.options.legend} options={panel.options} />
      );
    }
    case "stat": {
      const field = values[0];
      const value = field.display!(field.values[field.values.length - 1]);
      return (
        <BigValue theme={theme} width={width} height={height} value={value}
          colorMode={BigValueColorMode.Value} graphMode={BigValueGraphMode.None}
          textMode={BigValueTextMode.Value} />
      );
    }
    case "bargauge":
      return values.map((field) => (
        <BarGauge key={field.state!.displayName} theme={theme} width={width} field={field.config}
          height={Math.min(56, height / values.length)} display={field.display}
          value={{ ...field.display!(field.values[0]), title: field.state!.displayName! }}
          orientation={VizOrientation.Horizontal} displayMode={panel.options.displayMode}
          namePlacement={panel.options.namePlacement} />
      ));
    default:
      return <TableNG data={frames[0]} width={width} height={height} columnMinWidth={80} />;
  }
}

function Box({ panel, done }: { panel: Panel; done: () => void }) {
  const [frames, setFrames] = useState<DataFrame[]>();
  const [failed, setFailed] = useState<string>();
  useEffect(() => {
    const reading = panel.type === "table" ? rows(panel.targets, span) : series(panel.targets, span);
    reading.then((found) => setFrames(dressed(panel, found)), (e) => setFailed(`${e}`)).then(done);
  }, []);
  const { x, y, w, h } = panel.gridPos;
  const place = { position: "absolute" as const, left: x * CELL, top: y * LINE };
  if (panel.type === "row") return <h4 style={{ ...place, paddingTop: 8 }}>{panel.title}</h4>;
  return (
    <div style={place}>
      <PanelChrome title={panel.title} width={w * CELL - GAP} height={h * LINE - GAP}
        statusMessage={failed}>
        {(width, height) => frames
          && <Content panel={panel} frames={frames} width={width} height={height} />}
      </PanelChrome>
    </div>
  );
}

function Dashboard({ panels }: { panels: Panel[] }) {
  let left = panels.filter((panel) => panel.type !== "row").length;
  const done = () => {
    left -= 1;
    // Two frames later it is on the canvas.
    if (left === 0) setTimeout(() => (document.title = "drawn"), 1000);
  };
  const height = Math.max(...panels.map(({ gridPos: { y, h } }) => (y + h) * LINE));
  return (
    <div style={{ position: "relative", width: WIDTH, height, margin: 12 }}>
      {panels.map((panel) => <Box key={panel.id} panel={panel} done={done} />)}
    </div>
  );
}

const dashboard = await (await fetch(`/dashboards/${name}.json`)).json();
createRoot(document.getElementById("root")!).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <PanelContextProvider value={{ eventBus: new EventBusSrv(), eventsScope: "global" } as any}>
      <Dashboard panels={dashboard.panels} />
    </PanelContextProvider>
  </ThemeContext.Provider>,
);
