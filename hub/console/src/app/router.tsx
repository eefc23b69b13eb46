// Every address of the console. What a page shows beyond its path stands in its search, read by the feature.
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";

import { isProblem } from "../api/problem";
import { sessionQuery, setupQuery } from "../api/queries";
import { readCommandsSearch } from "../features/commands/commands-search";
import { readExploreSearch } from "../features/telemetry/explore-search";
import { readChartSearch } from "../features/telemetry/chart-search";
import { Crash } from "./crash";
import { NotFound } from "./not-found";
import { Shell } from "./shell";

interface Context {
  client: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ component: Outlet, notFoundComponent: NotFound });

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (raw: Record<string, unknown>): { to?: string } =>
    // Only an address of our own: never somebody else's page after a log-in.
    typeof raw["to"] === "string" && /^\/(?![/\\])/.test(raw["to"]) ? { to: raw["to"] } : {},
  beforeLoad: async ({ context }) => {
    if (await setupIsNeeded(context.client)) throw redirect({ to: "/setup" });
  },
  component: lazyRouteComponent(() => import("../features/accounts/login-page"), "LoginPage"),
});

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  beforeLoad: async ({ context }) => {
    if (!(await setupIsNeeded(context.client))) throw redirect({ to: "/login" });
  },
  component: lazyRouteComponent(() => import("../features/accounts/setup-page"), "SetupPage"),
});

async function setupIsNeeded(client: QueryClient): Promise<boolean> {
  try {
    return (await client.fetchQuery(setupQuery)).needed;
  } catch {
    return false;
  }
}

const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  beforeLoad: async ({ context, location }) => {
    try {
      await context.client.ensureQueryData(sessionQuery);
    } catch (error) {
      if (isProblem(error, 401)) throw redirect({ to: "/login", search: { to: location.href } });
      throw error;
    }
  },
  component: Shell,
});

const overview = createRoute({
  getParentRoute: () => inside,
  path: "/",
  component: lazyRouteComponent(() => import("../features/overview/overview-page"), "OverviewPage"),
});
const explore = createRoute({
  getParentRoute: () => inside,
  id: "explore",
  validateSearch: readExploreSearch,
  component: lazyRouteComponent(() => import("../features/telemetry/explore"), "Explore"),
});
const place = createRoute({
  getParentRoute: () => explore,
  path: "/devices",
  component: lazyRouteComponent(() => import("../features/telemetry/place-page"), "PlacePage"),
});
const device = createRoute({
  getParentRoute: () => explore,
  path: "/devices/$id",
  component: lazyRouteComponent(() => import("../features/telemetry/device-page"), "DevicePage"),
});
const chart = createRoute({
  getParentRoute: () => inside,
  path: "/chart",
  validateSearch: readChartSearch,
  component: lazyRouteComponent(() => import("../features/telemetry/chart-page"), "ChartPage"),
});
const gateways = createRoute({
  getParentRoute: () => inside,
  path: "/gateways",
  component: lazyRouteComponent(() => import("../features/gateways/gateways-page"), "GatewaysPage"),
});
const gateway = createRoute({
  getParentRoute: () => inside,
  path: "/gateways/$id",
  component: lazyRouteComponent(() => import("../features/gateways/gateway-page"), "GatewayPage"),
});
const commands = createRoute({
  getParentRoute: () => inside,
  path: "/commands",
  validateSearch: readCommandsSearch,
  component: lazyRouteComponent(() => import("../features/commands/commands-page"), "CommandsPage"),
});
const sites = createRoute({
  getParentRoute: () => inside,
  path: "/sites",
  component: lazyRouteComponent(() => import("../features/sites/sites-page"), "SitesPage"),
});
const users = createRoute({
  getParentRoute: () => inside,
  path: "/users",
  component: lazyRouteComponent(() => import("../features/accounts/users-page"), "UsersPage"),
});
const about = createRoute({
  getParentRoute: () => inside,
  path: "/about",
  component: lazyRouteComponent(() => import("../features/about/about-page"), "AboutPage"),
});

const tree = root.addChildren([
  login,
  setup,
  inside.addChildren([
    overview,
    explore.addChildren([place, device]),
    chart,
    gateways,
    gateway,
    commands,
    sites,
    users,
    about,
  ]),
]);

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { client },
    defaultPreload: "intent",
    defaultErrorComponent: Crash,
    defaultNotFoundComponent: NotFound,
    scrollRestoration: true,
    parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
    stringifySearch: (search) => {
      const params = new URLSearchParams();
      for (const [key, value] of Object.entries(search)) {
        if (value !== undefined && value !== "") params.set(key, String(value));
      }
      const text = params.toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%2F", "/");
      return text ? `?${text}` : "";
    },
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
