// One field over time: its mean as a line, what was between minimum and maximum as a band, limits and alarms behind it.

import uPlot from "uplot";
import type { SeriesField } from "../../api-types.js";
import { h, setAttribute, setText } from "../../dom.js";
import type { Format } from "../../format.js";
import { alone, columns, extent, gaps, nearest, scale, type Columns } from "../../voyage/columns.js";
import type { Excursion } from "../../voyage/excursions.js";
import type { Limit } from "../../voyage/limits.js";
import type { View } from "../../voyage/view.js";
import { words } from "../../voyage/words.js";
import type { AxisLabels } from "./axis.js";
import { behind, over } from "./paint.js";
import { faded, palette, type Palette } from "./palette.js";

export interface ChartOptions {
  field: string;
  height: number;
  hasAxis: boolean;
  format: Format;
  labels: AxisLabels;
  /** Charts of the same key share a cursor. */
  key: string;
  brushed(from: number, to: number): void;
  reset(): void;
  /** The cursor is at this time; null: it has left. */
  pointed(time: number | null): void;
}

/** Pixels at the left for values, and at the right for nothing. */
export const GUTTER = 54;
export const MARGIN = 28;
const NOTHING: Columns = { t: [], min: [], max: [], mean: [], isAggregated: false };

export class Chart {
  readonly element: HTMLElement;
  private readonly words;
  private readonly plot: HTMLElement;
  private readonly readout = h("span", { class: "chart-readout" });
  private chart: uPlot | null = null;
  private colours: Palette = palette();
  private data = NOTHING;
  private view: View = { from: 0, to: 60 };
  private limits: Limit[] = [];
  private spans: Excursion[] = [];
  private missing: [number, number][] = [];
  private time: number | null = null;
  /** Charts that share a cursor share the brush too: only the one that it was drawn in acts. */
  private isBrushed = false;

  constructor(private readonly options: ChartOptions) {
    this.words = words(options.field);
    this.plot = h("div", { class: "chart-plot", role: "img", "data-testid": `chart-${options.field}` });
    const head = h("div", { class: "chart-head" }, h("h3", {}, this.words.name, " ", h("span", { class: "muted chart-unit" }, this.words.unit)), this.readout);
    this.element = h("div", { class: "chart" }, head, this.plot);
  }

  /** Pixels of the plot itself, of which a point each is enough. */
  get width(): number {
    return Math.max(60, this.plot.clientWidth - GUTTER - MARGIN);
  }

  set(field: SeriesField | undefined, view: View, limits: Limit[], spans: Excursion[]): void {
    this.data = columns(field);
    this.limits = limits.filter((limit) => limit.field === this.options.field);
    this.spans = spans;
    this.missing = gaps(this.data);
    this.show(view);
  }

  /** Shows another time of the same data, until finer data comes. */
  show(view: View): void {
    this.view = view;
    this.chart ??= this.make();
    const { t, min, max, mean } = this.data;
    this.chart.batch(() => {
      this.chart?.setData([t, min, max, mean] as uPlot.AlignedData, false);
      this.chart?.setScale("x", { min: view.from, max: view.to });
    });
    this.tell(this.time);
    setAttribute(this.plot, "aria-label", this.summary());
    this.plot.dataset["points"] = String(this.data.mean.filter((value) => value !== null).length);
  }

  /** Puts the cursor at a time, as the keyboard does. */
  point(time: number): void {
    const chart = this.chart;
    if (chart === null) return;
    chart.setCursor({ left: chart.valToPos(time, "x"), top: chart.over.clientHeight / 2 }, true);
  }

  resize(): void {
    const width = this.plot.clientWidth;
    if (this.chart !== null && width > 0 && width !== this.chart.width) this.chart.setSize({ width, height: this.options.height });
  }

  recolour(): void {
    this.colours = palette();
    this.chart?.redraw(false, true);
  }

  destroy(): void {
    this.chart?.destroy();
  }

  /** The value at a time; without one what is in view. */
  tell(time: number | null): string {
    this.time = time;
    const text = time === null ? this.inView() : this.at(time);
    setText(this.readout, text);
    return text;
  }

  private at(time: number): string {
    const index = nearest(this.data, time);
    if (index === null) return "no reading";
    const [low, mean, high] = [this.data.min[index], this.data.mean[index], this.data.max[index]];
    const told = this.quantity(mean);
    return low === high ? told : `${told} (${this.number(low)} to ${this.number(high)})`;
  }

  private inView(): string {
    const found = extent(this.data, this.view);
    if (found === null) return "no reading in view";
    return `${this.number(found.min)} to ${this.quantity(found.max)}, mean ${this.number(found.mean)}`;
  }

  private summary(): string {
    const { format } = this.options;
    return `${this.words.name} from ${format.both(this.view.from * 1000)} to ${format.both(this.view.to * 1000)}: ${this.inView()}`;
  }

  private number(value: number | null | undefined): string {
    return this.options.format.number(value, this.words.digits);
  }

  private quantity(value: number | null | undefined): string {
    return this.options.format.quantity(value, this.words.unit, this.words.digits);
  }

  private make(): uPlot {
    const { height, key } = this.options;
    const chart = new uPlot(
      {
        width: Math.max(this.plot.clientWidth, 120),
        height,
        padding: [6, MARGIN, this.options.hasAxis ? 0 : 6, 0],
        legend: { show: false },
        scales: {
          x: { time: true, auto: false, range: (_, min, max) => [min, max] },
          y: { range: () => this.scale() },
        },
        series: [{}, { stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } }, this.line()],
        bands: [{ series: [2, 1], fill: () => faded(this.colours.ok, 0.28) }],
        axes: [this.timeAxis(), this.valueAxis()],
        cursor: {
          y: false,
          drag: { x: true, y: false, setScale: false, dist: 5 },
          sync: { key, setSeries: false, scales: ["x", null] },
          // Only the mean has a point at the cursor.
          points: { size: (_, index) => (index === 3 ? 8 : 0), fill: () => this.colours.ok, stroke: () => this.colours.surface, width: (_, index) => (index === 3 ? 2 : 0) },
          bind: {
            mousedown: (_, __, handler) => (event) => {
              this.isBrushed = true;
              return handler(event);
            },
            dblclick: () => () => (this.options.reset(), null),
          },
        },
        hooks: {
          drawClear: [(chart) => behind(chart, this.limits, this.spans, this.missing, this.colours)],
          draw: [(chart) => over(chart, this.limits, (value) => this.quantity(value), this.colours)],
          setSelect: [(chart) => this.selected(chart)],
          setCursor: [(chart) => this.pointed(chart)],
        },
      },
      [[], [], [], []],
      this.plot,
    );
    return chart;
  }

  private line(): uPlot.Series {
    return {
      stroke: () => this.colours.ok,
      width: 1.6,
      spanGaps: false,
      points: {
        size: 5,
        fill: () => this.colours.ok,
        // Every reading where there are few, and always those that no line would show.
        filter: (chart, _, show) => (show ? null : chart.data[3] === undefined ? null : alone(chart.data[3] as (number | null)[])),
      },
    };
  }

  private timeAxis(): uPlot.Axis {
    const { hasAxis, labels } = this.options;
    return {
      show: true,
      size: hasAxis ? 42 : 0,
      space: 92,
      gap: 4,
      font: `11px ${this.colours.font}`,
      stroke: () => this.colours.faint,
      grid: { stroke: () => this.colours.line, width: 1 },
      ticks: { show: hasAxis, stroke: () => this.colours.line, width: 1, size: 4 },
      values: (_, splits, __, ___, spacing) => (hasAxis ? labels(splits, spacing) : splits.map(() => "")),
    };
  }

  private valueAxis(): uPlot.Axis {
    const { format } = this.options;
    return {
      size: GUTTER,
      space: 26,
      font: `11px ${this.colours.font}`,
      stroke: () => this.colours.faint,
      grid: { stroke: () => this.colours.line, width: 1 },
      ticks: { show: false },
      values: (_, splits, __, ___, spacing) => splits.map((value) => format.number(value, spacing >= 1 ? 0 : spacing >= 0.1 ? 1 : 2)),
    };
  }

  private scale(): [number, number] {
    const found = extent(this.data, this.view);
    return scale(found, this.limits.map((limit) => limit.value), this.words.least);
  }

  private selected(chart: uPlot): void {
    const { left, width } = chart.select;
    const isOwn = this.isBrushed;
    this.isBrushed = false;
    if (width < 5) return;
    const [from, to] = [chart.posToVal(left, "x"), chart.posToVal(left + width, "x")];
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (isOwn) this.options.brushed(from, to);
  }

  private pointed(chart: uPlot): void {
    const { left } = chart.cursor;
    const time = left === undefined || left === null || left < 0 ? null : chart.posToVal(left, "x");
    this.tell(time);
    this.options.pointed(time);
  }
}
