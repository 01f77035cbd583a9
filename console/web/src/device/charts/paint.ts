// What is drawn behind and over a chart's line: the goods' band, limits, alarms and gaps. Each has a pattern beside its
// colour: limits are dashed, a warning is hatched one way and a critical alarm both ways.

import type uPlot from "uplot";
import type { Severity } from "../../api-types.js";
import type { Excursion } from "../../voyage/excursions.js";
import { band, type Limit } from "../../voyage/limits.js";
import { faded, type Palette } from "./palette.js";

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Behind the line: within the limits, gaps, and alarms. */
export function behind(chart: uPlot, limits: Limit[], spans: Excursion[], gaps: [number, number][], colours: Palette): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  good(chart, limits, colours);
  for (const [from, to] of gaps) gap(chart, from, to, colours);
  for (const span of spans) alarm(chart, span, colours);
  ctx.restore();
}

/** Over the line: the limits with their values. */
export function over(chart: uPlot, limits: Limit[], label: (value: number) => string, colours: Palette): void {
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * ratio}px ${colours.font}`;
  for (const limit of limits) {
    const y = Math.round(chart.valToPos(limit.value, "y", true)) + 0.5;
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    const isCritical = limit.severity === "critical";
    ctx.strokeStyle = isCritical ? colours.critical : colours.warning;
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash(isCritical ? [10 * ratio, 4 * ratio] : [4 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    const text = `${limit.side === "high" ? "≤" : "≥"} ${label(limit.value)}`;
    const isBeneath = limit.side === "low" ? y + 16 * ratio < bbox.top + bbox.height : y - 16 * ratio < bbox.top;
    // Warnings are named at the left and critical limits at the right: near ones stay legible.
    const x = isCritical ? bbox.left + bbox.width - 6 * ratio : bbox.left + 6 * ratio;
    ctx.textAlign = isCritical ? "right" : "left";
    ctx.textBaseline = isBeneath ? "top" : "bottom";
    ctx.lineWidth = 3 * ratio;
    ctx.setLineDash([]);
    ctx.strokeStyle = colours.surface;
    ctx.strokeText(text, x, y + (isBeneath ? 3 : -3) * ratio);
    ctx.fillStyle = isCritical ? colours.criticalInk : colours.warningInk;
    ctx.fillText(text, x, y + (isBeneath ? 3 : -3) * ratio);
  }
  ctx.restore();
}

function good(chart: uPlot, limits: Limit[], colours: Palette): void {
  const within = band(limits, limits.some((limit) => limit.severity === "warning") ? "warning" : "critical");
  if (within.low === null && within.high === null) return;
  const { ctx, bbox } = chart;
  const top = within.high === null ? bbox.top : chart.valToPos(within.high, "y", true);
  const bottom = within.low === null ? bbox.top + bbox.height : chart.valToPos(within.low, "y", true);
  ctx.fillStyle = faded(colours.ok, 0.08);
  ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
}

function alarm(chart: uPlot, span: Excursion, colours: Palette): void {
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  const left = chart.valToPos(span.from, "x", true);
  const right = Math.max(chart.valToPos(span.to, "x", true), left + 2 * ratio);
  if (right < bbox.left || left > bbox.left + bbox.width) return;
  const colour = span.severity === "critical" ? colours.critical : colours.warning;
  const box = { left, top: bbox.top, width: right - left, height: bbox.height };
  ctx.fillStyle = faded(colour, 0.1);
  ctx.fillRect(box.left, box.top, box.width, box.height);
  hatch(ctx, box, span.severity, faded(colour, 0.26), ratio);
  ctx.fillStyle = colour;
  ctx.fillRect(box.left, box.top, box.width, 4 * ratio);
}

function gap(chart: uPlot, from: number, to: number, colours: Palette): void {
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  const left = Math.max(chart.valToPos(from, "x", true), bbox.left);
  const right = Math.min(chart.valToPos(to, "x", true), bbox.left + bbox.width);
  if (right - left < 3 * ratio) return;
  ctx.fillStyle = faded(colours.faint, 0.07);
  ctx.fillRect(left, bbox.top, right - left, bbox.height);
  const text = "no readings";
  ctx.font = `${11 * ratio}px ${colours.font}`;
  if (ctx.measureText(text).width + 12 * ratio > right - left) return;
  ctx.fillStyle = colours.faint;
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  ctx.fillText(text, (left + right) / 2, bbox.top + bbox.height - 5 * ratio);
}

function hatch(ctx: CanvasRenderingContext2D, box: Box, severity: Severity, colour: string, ratio: number): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.left, box.top, box.width, box.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = ratio;
  ctx.setLineDash([]);
  ctx.beginPath();
  const step = 10 * ratio;
  const begin = Math.floor((box.left - box.height) / step) * step;
  for (let x = begin; x < box.left + box.width; x += step) {
    ctx.moveTo(x, box.top + box.height);
    ctx.lineTo(x + box.height, box.top);
    if (severity !== "critical") continue;
    ctx.moveTo(x, box.top);
    ctx.lineTo(x + box.height, box.top + box.height);
  }
  ctx.stroke();
  ctx.restore();
}
