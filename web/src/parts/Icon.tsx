const PATHS = {
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm5 12 4.5 4.5",
  upload: "M12 16V5m0 0L7.5 9.5M12 5l4.5 4.5M5 19h14",
  download: "M12 5v11m0 0 4.5-4.5M12 16l-4.5-4.5M5 19h14",
  system: "M4 5h16v11H4zM9 20h6m-3-4v4",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Zm0-5v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4",
  dark: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10Z",
  close: "m6 6 12 12M18 6 6 18",
  back: "M19 12H5m0 0 6-6m-6 6 6 6",
  previous: "m14.5 6-6 6 6 6",
  next: "m9.5 6 6 6-6 6",
  down: "m6 9.5 6 6 6-6",
  up: "m6 14.5 6-6 6 6",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4.2 4.2 0 0 0-6-6L11.5 7M14 10a4 4 0 0 0-6-.4l-3 3a4.2 4.2 0 0 0 6 6l1.5-1.5",
  cube: "M12 3 4.500 7.200v9.600L12 21l7.500-4.200V7.200L12 3Zm0 9.300v8.700m0-8.700L4.500 7.200m7.500 5.100 7.500-5.100",
  trash: "M5 7h14M10 7V4.500h4V7m-7.5 0 .8 12.500h9.400L17.5 7M10 11v5m4-5v5",
  broom: "M19.500 4.500 12.500 11.500M9 10l5 5M9 10c-2 2-3.500 2.500-6 2.500L11.500 21c0-2.500.5-4 2.500-6M6.500 14.500 9 12.500m1 5.500 1.800-2.500",
  help: "M9.3 9.200a2.8 2.8 0 1 1 4 2.600c-.9.4-1.3 1-1.3 2m0 2.900v.1M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z",
  done: "m5 12.5 4.5 4.500L19 7.5",
  warning: "M12 4 2.8 20h18.400L12 4Zm0 6v4.500m0 2.600v.1",
  again: "M19.5 12a7.5 7.5 0 1 1-2.2-5.300L19.5 9m0-5v5h-5",
} as const;

export type IconName = keyof typeof PATHS;

/** A line drawing in the colour of the text beside it; the words are the button's own. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
