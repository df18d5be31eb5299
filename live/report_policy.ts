/** Content security policy of a report: no script, nothing from any host; pictures are in the page itself. Its drawings have styles of their own. */
export const REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

/** The policy where the report is served: whoever has put the file there, it gets nothing of the page that links to it. */
export const SERVED_REPORT_POLICY = `${REPORT_POLICY}; frame-ancestors 'none'; sandbox`
