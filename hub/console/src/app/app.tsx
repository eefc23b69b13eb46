// What everything stands in: preferences, theme, locale, query cache, router.
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { App as AntApp, ConfigProvider } from "antd";
import enUS from "antd/locale/en_US";
import zhCN from "antd/locale/zh_CN";
import dayjs from "dayjs";
import "dayjs/locale/zh-cn";

import { isLoggedOut, isProblem } from "../api/problem";
import { keys } from "../api/queries";
import { PreferencesProvider, usePreferences } from "../parts/preferences";
import { makeRouter } from "./router";
import { dark, light } from "./theme";

const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError(error, query) {
      // The guard's own question is answered by the guard.
      const isFirst = query.queryKey[0] === keys.session[0] && query.state.data === undefined;
      if (isLoggedOut(error) && !isFirst) leave();
    },
  }),
  mutationCache: new MutationCache({
    onError(error) {
      if (isLoggedOut(error)) leave();
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (tries, error) => tries < 2 && !(isProblem(error) && error.status < 500),
      refetchOnWindowFocus: true,
    },
  },
});
const router = makeRouter(client);

/** The session is over: the guard of the shell sends to the log-in page and, after it, back again. */
function leave(): void {
  client.removeQueries({ queryKey: keys.session });
  void router.invalidate();
}

export function App() {
  return (
    <PreferencesProvider>
      <Themed />
    </PreferencesProvider>
  );
}

function Themed() {
  const { language, dark: isDark } = usePreferences();
  dayjs.locale(language === "zh" ? "zh-cn" : "en");
  return (
    <ConfigProvider
      locale={language === "zh" ? zhCN : enUS}
      theme={isDark ? dark : light}
      button={{ autoInsertSpace: false }}
    >
      <AntApp>
        <QueryClientProvider client={client}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </AntApp>
    </ConfigProvider>
  );
}
