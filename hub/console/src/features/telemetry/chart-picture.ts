// The chart as a picture: title, legend and every lane on one canvas.
import type uPlot from "uplot";

export interface PictureLegend {
  label: string;
  color: string;
}

interface Look {
  ground: string;
  text: string;
}

const PAD = 16;
const LINE = 22;

export function pictureOf(
  plots: uPlot[],
  words: { title: string; sub: string; legend: PictureLegend[] },
  look: Look,
  font: string,
): Promise<Blob> {
  const ratio = devicePixelRatio || 1;
  const width = Math.max(...plots.map((p) => p.ctx.canvas.width)) + 2 * PAD * ratio;
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  if (!pen) return Promise.reject(new Error("this browser gives no canvas"));
  const room = width / ratio - 2 * PAD;
  const titleFont = `600 15px ${font}`;
  pen.font = titleFont;
  const title = wrapped(words.title, room, (text) => pen.measureText(text).width);
  const columns = Math.max(1, Math.floor(width / ratio / 300));
  const rows = Math.ceil(words.legend.length / columns);
  const below = PAD + LINE * title.length;
  const head = (below + LINE + rows * LINE + 8) * ratio;
  const height = head + plots.reduce((sum, p) => sum + p.ctx.canvas.height, 0) + PAD * ratio;
  canvas.width = width;
  canvas.height = height;
  pen.fillStyle = look.ground;
  pen.fillRect(0, 0, width, height);
  pen.scale(ratio, ratio);
  pen.fillStyle = look.text;
  pen.textBaseline = "middle";
  pen.font = titleFont;
  title.forEach((text, i) => pen.fillText(text, PAD, PAD + LINE * (i + 0.5)));
  pen.font = `12px ${font}`;
  pen.fillText(words.sub, PAD, below + LINE / 2, room);
  const cell = room / columns;
  words.legend.forEach((each, i) => {
    const x = PAD + (i % columns) * cell;
    const y = below + LINE + Math.floor(i / columns) * LINE + LINE / 2;
    pen.fillStyle = each.color;
    pen.fillRect(x, y - 1.5, 16, 3);
    pen.fillStyle = look.text;
    pen.fillText(each.label, x + 22, y, cell - 30);
  });
  pen.setTransform(1, 0, 0, 1, 0, 0);
  let top = head;
  for (const plot of plots) {
    pen.drawImage(plot.ctx.canvas, PAD * ratio, top);
    top += plot.ctx.canvas.height;
  }
  return new Promise((done, failed) => {
    canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture was made"))), "image/png");
  });
}

/** Lines that fit: broken between words, and between any two signs of Chinese. */
export function wrapped(text: string, room: number, widthOf: (text: string) => number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const part of text.match(/[\u2e80-\uffef]|[^\s\u2e80-\uffef]+\s*|\s+/g) ?? []) {
    if (line !== "" && widthOf((line + part).trimEnd()) > room) {
      lines.push(line.trimEnd());
      line = part.trimStart();
    } else line += part;
  }
  return [...lines, line.trimEnd()];
}
