"""The report as one HTML page: everything in it, nothing fetched, readable without its script.

``html`` puts the page together; ``sections`` has its parts; ``table`` the table of cells; page.css and page.js go into
the page as they are.
"""
