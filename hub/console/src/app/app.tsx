// What everything stands in: preferences, theme, locale, query cache, router.
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { App as AntApp, ConfigProvider } from "antd";
import enUS from "antd/locale/en_US";
import zhCN from "antd/locale/zh_CN";
import dayjs from "dayjs";
import "dayjs/locale/zh-cn";

import { isProblem } from "../api/problem";
import { keys } from "../api/queries";
import { PreferencesProvider, usePreferences } from "../parts/preferences";
import { makeRouter } from "./router";
import { dark, light } from "./theme";

const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError(error, query) {
      // The session is over: the guard of the shell sends to the log-in page and back again.
      if (isProblem(error, 401) && query.queryKey[0] !== keys.session[0]) {
        client.removeQueries({ queryKey: keys.session });
        void router.invalidate();
      }
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
