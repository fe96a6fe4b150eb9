"""The page in a real browser: it shows what is in it, its controls work, and it asks nobody for anything."""

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from harness.report.files import write
from tests.browser.conftest import PHONE, WIDE, Browser
from tests.unit.sweeps import EVIL, facts, late, never, record, sweep

pytestmark = pytest.mark.slow

_WITHIN_S = 10


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with all that there is to show: 14 cells, one of them odd, one never detected."""
    records = [*sweep(repeat=2), late(50, idle=8, exact=14.0, warnings=[EVIL]), never(51), never(52, watched=30.0)]
    return next(write(facts(records), ("html",), tmp_path_factory.mktemp("page")))


def shown(browser: Browser) -> int:
    """How many rows of the table a reader can see."""
    rows = browser.driver.find_elements(By.CSS_SELECTOR, "#cells-table tbody tr")
    return sum(row.is_displayed() for row in rows)


def says(browser: Browser, text: str) -> None:
    """Wait until the count of cells says ``text``."""
    count = browser.driver.find_element(By.ID, "count")
    WebDriverWait(browser.driver, _WITHIN_S).until(lambda _: count.text == text, f"the count is not {text!r}")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_it_renders_silently_and_asks_nobody(browser: Browser, page: Path, size: tuple[int, int], dark: bool) -> None:
    browser.open(page, size, dark)
    assert browser.driver.find_element(By.ID, "sum").text.startswith("27 trials of 14 cells: 25 detected, 2 missed.")
    plots = browser.driver.find_elements(By.CSS_SELECTOR, "main svg")
    seen = [plot for plot in plots if plot.is_displayed()]
    assert len(seen) >= 6
    assert all(plot.rect["width"] > 100 for plot in seen)
    assert browser.logged() == []
    assert browser.asked() == [page.as_uri()]


def test_light_and_dark_follow_the_reader(browser: Browser, page: Path) -> None:
    colours = []
    for dark in (False, True):
        browser.open(page, dark=dark)
        script = """
            const lightness = (text) => text.match(/[0-9]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
            const style = getComputedStyle(document.documentElement);
            const axis = getComputedStyle(document.querySelector("#survival .plot .ink"));
            return [lightness(style.backgroundColor), lightness(style.color), lightness(axis.fill)];
        """
        colours.append(browser.run(script))
    (paper, ink, drawn), (dark_paper, dark_ink, dark_drawn) = colours
    assert paper > 700 > 150 > ink
    assert dark_paper < 150 < 600 < dark_ink
    assert (drawn, dark_drawn) == (ink, dark_ink)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_it_never_scrolls_sideways(browser: Browser, page: Path, size: tuple[int, int]) -> None:
    browser.open(page, size)
    browser.run('document.querySelectorAll("details").forEach((part) => { part.open = true; });')
    wide, room = browser.run("const root = document.documentElement; return [root.scrollWidth, root.clientWidth];")
    assert wide <= room <= size[0]


def test_plots_on_a_phone_are_drawn_for_it(browser: Browser, page: Path) -> None:
    browser.open(page, PHONE)
    widths = browser.run("""
        return Array.from(document.querySelectorAll("#survival svg, #distribution svg, #timeline svg"))
            .map((plot) => plot.getBoundingClientRect().width).filter((width) => width > 0);
    """)
    assert isinstance(widths, list) and widths
    assert all(width <= PHONE[0] for width in widths)


def test_the_filters_work_alone_and_together(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert shown(browser) == 14
    find = browser.driver.find_element(By.ID, "find")
    find.send_keys("CRASH-client")
    says(browser, "7 of 14 cells")
    assert shown(browser) == 7
    Select(browser.driver.find_element(By.XPATH, "//label[.='keepalive']/..//select")).select_by_visible_text("4 s")
    says(browser, "2 of 14 cells")
    assert shown(browser) == 2
    browser.driver.find_element(By.CSS_SELECTOR, "#filters [type=reset]").click()
    says(browser, "14 cells")
    Select(browser.driver.find_element(By.ID, "by-verdict")).select_by_visible_text("missed")
    says(browser, "1 of 14 cells")
    browser.driver.find_element(By.CSS_SELECTOR, "#filters [type=reset]").click()
    Select(browser.driver.find_element(By.ID, "by-agrees")).select_by_visible_text("NO")
    says(browser, "1 of 14 cells")
    find.send_keys("nothing is called that")
    says(browser, "0 of 14 cells")
    assert browser.logged() == []


def test_the_table_sorts_by_a_column_and_back(browser: Browser, page: Path) -> None:
    browser.open(page)
    column = 4

    def values() -> list[str]:
        cells = browser.driver.find_elements(By.CSS_SELECTOR, f"#cells-table tbody tr > :nth-child({column + 1})")
        return [cell.text for cell in cells]

    button = browser.driver.find_element(By.XPATH, f"//thead//th[{column + 1}]/button")
    button.click()
    times = [float(value) for value in values() if value]
    assert times == sorted(times)
    assert values()[-1] == ""
    assert button.find_element(By.XPATH, "..").get_attribute("aria-sort") == "ascending"
    button.click()
    assert [float(value) for value in values() if value] == sorted(times, reverse=True)
    assert button.find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"


def test_the_keyboard_reaches_everything(browser: Browser, page: Path) -> None:
    """Tab through the page: the way to the results first, then every control in the order of the page, all visible."""
    browser.open(page)
    body = browser.driver.find_element(By.TAG_NAME, "body")
    met: list[str] = []
    for _ in range(120):
        body.send_keys(Keys.TAB)
        where = browser.run("""
            const at = document.activeElement, style = getComputedStyle(at);
            if (at === document.body) return null;
            return [at.id || at.className || at.tagName + at.textContent, style.outlineStyle];
        """)
        if where is None or (met and where[0] == met[0]):
            break
        assert where[1] != "none", f"{where[0]} does not show that it has the focus"
        met.append(where[0])
        body = browser.driver.switch_to.active_element
    assert met[0] == "skip"
    controls = ["map-choice", "trial-choice", "find", "by-v0", "by-verdict", "by-agrees", "scroll"]
    places = [met.index(control) for control in controls if control in met]
    assert len(places) >= len(controls) - 1
    assert places == sorted(places)


def test_the_keyboard_filters(browser: Browser, page: Path) -> None:
    browser.open(page)
    verdict = browser.driver.find_element(By.ID, "by-verdict")
    verdict.send_keys("mis")
    says(browser, "1 of 14 cells")


def test_another_trial_is_shown_when_it_is_chosen(browser: Browser, page: Path) -> None:
    browser.open(page)
    choice = Select(browser.driver.find_element(By.ID, "trial-choice"))
    assert choice.first_selected_option.text.startswith("Trial 50: crash-client, idle, ETIMEDOUT by keepalive (not as")

    def visible() -> list[str]:
        parts = browser.driver.find_elements(By.CSS_SELECTOR, "[data-of=trial]")
        return [part.get_attribute("aria-label") or "" for part in parts if part.is_displayed()]

    assert len(visible()) == 1
    choice.select_by_index(1)
    assert visible() == [choice.options[1].text]


def test_the_plots_have_names_for_who_cannot_see_them(browser: Browser, page: Path) -> None:
    browser.open(page)
    tree = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node["ignored"]]
    images = [name for role, name in roles if role in ("image", "img")]
    assert len(images) >= 6
    assert all("; " in name or ". " in name or name.endswith(".") for name in images)
    for landmark in ("banner", "navigation", "main", "contentinfo", "search"):
        assert landmark in [role for role, _ in roles]
    assert ("table", "Every cell of the run. The buttons in the head sort by their column.") in roles
    for role, name in roles:
        if role in ("combobox", "searchbox", "button", "link"):
            assert name, f"a {role} without a name"


def test_whatever_a_name_holds_the_browser_shows_it_as_text(browser: Browser, tmp_path: Path) -> None:
    records = [
        record(0, cell=f"crash-client where={EVIL} traffic=idle", why=EVIL, warnings=[EVIL]),
        late(1, cell=f"{EVIL} traffic={EVIL}", why=EVIL),
    ]
    path = next(write(facts(records, name=EVIL), ("html",), tmp_path))
    browser.open(path)
    assert browser.driver.title.startswith("</script>")
    assert browser.driver.find_elements(By.TAG_NAME, "img") == []
    browser.driver.find_element(By.ID, "find").send_keys("owned")
    says(browser, "2 cells")
    assert browser.logged() == []
    assert browser.asked() == [path.as_uri()]


def test_it_is_whole_without_its_script(browser: Browser, page: Path) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(page)
        assert shown(browser) == 14
        assert not browser.driver.find_element(By.ID, "filters").is_displayed()
        parts = browser.driver.find_elements(By.CSS_SELECTOR, "[data-of=trial]")
        assert parts and all(part.is_displayed() for part in parts)
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_thousand_cells_can_be_filtered_at_once(browser: Browser, tmp_path: Path) -> None:
    records = sweep(range(1, 26), range(1, 11), ("crash-client", "crash-server", "cut-link", "crash-host"), repeat=3)
    path = next(write(facts(records), ("html",), tmp_path))
    browser.open(path)
    says(browser, "1,000 cells")
    browser.driver.find_element(By.ID, "find").send_keys("cut-link keepalive=7 ")
    says(browser, "10 of 1,000 cells")
    assert browser.logged() == []
