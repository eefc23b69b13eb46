// Answers /api/v1 inside Vite's own server when STEWARD_MOCK=1, so that pages can be looked at without a hub.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Plugin } from "vite";

import { devices, events, gateways, latest, points, sites, valueAt } from "./plant";

const json = (res: ServerResponse, body: unknown, status = 200): void => {
  res.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" });
  res.end(JSON.stringify(body));
};
const page = <T>(items: T[]) => ({ items, next: null });
const session = {
  user: { id: "u1", user: "admin", name: "王工", role: "admin", locale: null, commands: true },
  expires_at: new Date(Date.now() + 8 * 3_600_000).toISOString(),
};
const commands: Record<string, unknown>[] = [];
const BUCKETS = [10_000, 60_000, 120_000, 900_000, 3_600_000];
let inside = false;

async function body(req: IncomingMessage): Promise<Record<string, string>> {
  const parts: Buffer[] = [];
  for await (const part of req) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString() || "{}") as Record<string, string>;
}

function series(url: URL) {
  const ids = (url.searchParams.get("points") ?? "").split(",").map(Number);
  const from = Date.parse(url.searchParams.get("from") ?? "");
  const to = Date.parse(url.searchParams.get("to") ?? "");
  const width = Number(url.searchParams.get("width") ?? 800);
  const bucket = BUCKETS.find((b) => b * width >= to - from) ?? 86_400_000;
  const raw = to - from <= 3_600_000;
  const step = raw ? 5000 : bucket;
  const out = ids.map((point) => {
    const t: number[] = [];
    const mean: (number | null)[] = [];
    const min: (number | null)[] = [];
    const max: (number | null)[] = [];
    for (let at = from - (from % step); at < to; at += step) {
      const v = at > Date.now() ? null : valueAt(point, at);
      const spread = v === null ? 0 : Math.abs(v) * 0.02;
      t.push(at);
      mean.push(v);
      min.push(v === null ? null : v - spread);
      max.push(v === null ? null : v + spread);
    }
    return raw ? { point, t, value: mean } : { point, t, mean, min, max };
  });
  return {
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    bucket_ms: raw ? 0 : bucket,
    series: out,
  };
}

function live(url: URL, req: IncomingMessage, res: ServerResponse): void {
  const ids = (url.searchParams.get("points") ?? "").split(",").filter(Boolean).map(Number);
  res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  res.write(": here\n\n");
  const timer = setInterval(() => {
    for (const id of ids) {
      const point = points.find((p) => p.id === id);
      if (!point) continue;
      res.write(`event: value\ndata: ${JSON.stringify({ point: id, ...latest(point, Date.now()) })}\n\n`);
    }
  }, 1000);
  req.on("close", () => clearInterval(timer));
}

async function answer(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void> {
  const path = url.pathname.replace("/api/v1", "");
  const now = Date.now();
  const q = (name: string) => url.searchParams.get(name);
  if (path === "/setup") return json(res, { needed: false });
  if (path === "/session" && req.method === "POST") {
    const words = await body(req);
    if (words["password"] === "locked") {
      res.setHeader("Retry-After", "600");
      return json(res, { type: "/problems/locked", title: "locked", status: 429 }, 429);
    }
    if (words["password"] !== "admin") {
      return json(res, { type: "/problems/wrong_password", title: "no", status: 401 }, 401);
    }
    inside = true;
    return json(res, session, 201);
  }
  if (path === "/session" && req.method === "DELETE") {
    inside = false;
    res.writeHead(204).end();
    return;
  }
  if (!inside)
    return json(res, { type: "/problems/unauthenticated", title: "who are you", status: 401 }, 401);
  if (path === "/session") return json(res, session);
  if (path === "/sites") return json(res, page(sites));
  if (path === "/users") {
    const user = {
      id: "u1",
      user: "admin",
      name: "王工",
      role: "admin",
      disabled: false,
      commands: true,
      version: 1,
    };
    return json(res, page([user, { ...user, id: "u2", user: "li", name: "李雷", role: "engineer" }]));
  }
  if (path === "/gateways" && req.method === "POST") {
    const gateway = {
      ...gateways(now)[1],
      id: "g3",
      name: (await body(req))["name"],
      state: "pending",
      health: null,
    };
    const expires_at = new Date(now + 900_000).toISOString();
    return json(res, { gateway, code: "STW-4K7Q9-M2XW8-ZB0CD-1EFGH-JKNPR-ST3VY-6A5QM-W8X", expires_at }, 201);
  }
  if (path === "/gateways") return json(res, page(gateways(now)));
  const gateway = /^\/gateways\/(\w+)(\/events)?$/.exec(path);
  if (gateway) {
    if (gateway[2]) return json(res, page(gateway[1] === "g1" ? events(now) : []));
    const found = gateways(now).find((g) => g.id === gateway[1]);
    return found ? json(res, found) : json(res, { type: "/problems/not-found", status: 404 }, 404);
  }
  if (path === "/commands" && req.method === "POST") {
    const asked = (await body(req)) as Record<string, unknown>;
    const at = new Date(now).toISOString();
    const point = points.find((p) => p.id === asked["point"]);
    const device = devices.find((d) => d.id === point?.device);
    const command = {
      expected: null,
      relinquish_at: null,
      ...asked,
      id: `00000000-0000-7000-8000-${String(commands.length + 1).padStart(12, "0")}`,
      gateway: device?.gateway,
      point: { ...point, device: device?.id, device_title: device?.title },
      state: "confirmed",
      reason: null,
      priority: null,
      requester: "admin",
      approver: null,
      two_persons: false,
      created_at: at,
      not_after: new Date(now + 600_000).toISOString(),
      before: asked["expected"] ?? null,
      now: asked["value"],
      sent: true,
      given_up: false,
      changed_at: at,
    };
    commands.unshift(command);
    return json(res, command, 201);
  }
  if (path === "/commands") {
    return json(res, page(commands.filter((c) => !q("state") || c["state"] === q("state"))));
  }
  if (path.startsWith("/commands/")) {
    const command = commands.find((c) => c["id"] === path.slice(10));
    const at = command?.["created_at"];
    const step = (what: string, who: string, facts: object) => ({ at, received_at: at, what, who, facts });
    const steps = [
      step("requested", "admin", { why: command?.["why"] }),
      step("received", "", {}),
      step("written", "", { before: command?.["before"] }),
      step("confirmed", "", { now: command?.["now"] }),
    ];
    return command ? json(res, { command, steps }) : json(res, { status: 404 }, 404);
  }
  if (path === "/devices") return json(res, page(devices));
  if (path.startsWith("/devices/")) {
    const found = devices.find((d) => d.id === path.slice(9));
    return found ? json(res, found) : json(res, { type: "/problems/not-found", status: 404 }, 404);
  }
  if (path === "/points") {
    const wanted = points.filter(
      (p) =>
        (!q("device") || p.device === q("device")) &&
        (!q("q") ||
          `${p.title.zh} ${p.title.en} ${p.key}`.toLowerCase().includes((q("q") ?? "").toLowerCase())),
    );
    return json(res, page(wanted.map((p) => ({ ...p, latest: latest(p, now) }))));
  }
  if (path.startsWith("/points/")) {
    const found = points.find((p) => p.id === Number(path.slice(8)));
    return found ? json(res, { ...found, latest: latest(found, now) }) : json(res, { status: 404 }, 404);
  }
  if (path === "/series") return json(res, series(url));
  if (path === "/series.csv") {
    res.writeHead(200, {
      "Content-Type": "text/csv; charset=utf-8",
      "Content-Disposition": "attachment; filename=series.csv",
    });
    res.end("\uFEFFtime,1\r\n2026-11-24T00:00:00Z,1.5\r\n");
    return;
  }
  if (path === "/live") return live(url, req, res);
  if (path === "/about") {
    return json(res, {
      version: "0.1.0",
      database: "sqlite 3.51.3",
      started_at: new Date(now - 18_000_000).toISOString(),
    });
  }
  if (path === "/audit/verify") return json(res, { whole: true, rows: 1284, broken_at: null, fault: null });
  return json(res, { type: "/problems/not-found", title: "not there", status: 404 }, 404);
}

export function plantMock(): Plugin {
  const use = (middlewares: {
    use: (handler: (req: IncomingMessage, res: ServerResponse, next: () => void) => void) => void;
  }) => {
    middlewares.use((req, res, next) => {
      const url = new URL(req.url ?? "/", "http://mock");
      if (!url.pathname.startsWith("/api/v1/")) return next();
      void answer(req, res, url);
    });
  };
  return {
    name: "steward-mock",
    configureServer: (server) => use(server.middlewares),
    configurePreviewServer: (server) => use(server.middlewares),
  };
}
