#!/usr/bin/env python3
"""What is shipped for Prometheus, Grafana and Kubernetes, against a running server and Debian's Prometheus.

    python3 tests/packages/monitoring.py BINARY      needs `prometheus`, `promtool`, `redis-cli` and PyYAML

A scrape is what promtool calls clean; each query of the dashboard and of the alert rules finds something; no alert
fires for a server at its work, and each fires when it should (alerts.yml); probes and configurations are such as the
server answers and takes.
"""

import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = ROOT / "deploy/prometheus/lokikv.rules.yml"
DASHBOARD = ROOT / "deploy/grafana/lokikv.json"
STATEFUL_SET = ROOT / "deploy/kubernetes/lokikv.yaml"
# What dashboards made for redis_exporter ask for, by the names that it has.
EXPORTER_NAMES = """
    redis_up redis_uptime_in_seconds redis_connected_clients redis_blocked_clients redis_memory_used_bytes
    redis_memory_used_rss_bytes redis_memory_max_bytes redis_memory_fragmentation_ratio redis_mem_fragmentation_ratio
    redis_commands_total redis_commands_duration_seconds_total redis_commands_processed_total
    redis_keyspace_hits_total redis_keyspace_misses_total redis_expired_keys_total redis_evicted_keys_total
    redis_net_input_bytes_total redis_net_output_bytes_total redis_db_keys redis_db_keys_expiring
    redis_connected_slaves redis_total_system_memory_bytes redis_instance_info redis_start_time_seconds
    redis_rejected_connections_total redis_slowlog_length redis_config_maxclients redis_rdb_last_save_timestamp_seconds
""".split()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what: str, try_it: Callable[[], object], seconds: float = 30) -> object:
    """What it answers as soon as that is something."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = try_it()
        except OSError:
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def run(*command: str | Path, text: str | None = None) -> str:
    done = subprocess.run(
        command, cwd=ROOT, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


@contextmanager
def program(place: Path, *command: str | Path) -> Iterator[subprocess.Popen]:
    log = place / f"{Path(command[0]).name}.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=place, stdout=out, stderr=out)
        try:
            yield process
        except BaseException:
            print(log.read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Server:
    """Where the server under test is."""

    def __init__(self, binary: Path) -> None:
        self.binary, self.port, self.http = binary, free_port(), free_port()

    def command(self, place: Path) -> list[str | Path]:
        sets = [f"server.port={self.port}", f"http.port={self.http}", "memory.max_bytes=1gb"]
        flags = [part for each in sets for part in ("--set", each)]
        return [self.binary, "--config", ROOT / "config.toml", "--data-dir", place / "data", *flags]

    def cli(self, *words: str) -> str:
        return run("redis-cli", "-p", str(self.port), *words).strip()

    def work(self) -> None:
        """A little of everything that has a figure."""
        for words in [
            ("SET", "greeting", "hello"),
            ("GET", "greeting"),
            ("GET", "nothing"),
            ("SET", "brief", "1", "EX", "1000"),
            ("LPUSH", "greeting", "x"),
            ("NOSUCHCOMMAND",),
            ("-n", "3", "HSET", "hash", "field", "value"),
            ("CHECKPOINT",),
            ("INCR", "counter"),
        ]:
            self.cli(*words)


def names(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:redis|lokikv)_[a-z0-9_]+|\bup\b", expression))


def without_variables(expression: str) -> str:
    """As Grafana asks it, with a shorter time."""
    for variable, value in [("$job", ".*"), ("$instance", ".*"), ("$__rate_interval", "20s")]:
        expression = expression.replace(variable, value)
    assert "$" not in expression, expression
    return expression


def dashboard_queries() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    queries += [each["expr"] for each in dashboard["annotations"]["list"]]
    assert len(panels) > 20 and len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
    return [without_variables(query) for query in queries]


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def check_scrape(server: Server) -> None:
    scrape = get(server.http, "/metrics")
    complaints = run("promtool", "check", "metrics", text=scrape).strip()
    assert not complaints, complaints
    found = {line.split("{")[0].split(" ")[0] for line in scrape.splitlines() if not line.startswith("#")}
    missing = [name for name in EXPORTER_NAMES if name not in found]
    assert not missing, f"not in a scrape: {missing}"
    print(f"ok   promtool check metrics: {len(found)} names, {len(scrape)} bytes")


def prometheus_config(server: Server, place: Path) -> Path:
    """The shipped one, for this server and in a hurry."""
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(RULES)]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{server.http}"]
    path = place / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


def check_queries(server: Server, port: int) -> None:
    def ask(query: str) -> list:
        answer = json.loads(get(port, f"/api/v1/query?{urllib.parse.urlencode({'query': query})}"))
        assert answer["status"] == "success", f"{query}: {answer}"
        return answer["data"]["result"]

    # Prometheus takes some seconds for the first one. Rates need work between two.
    for scrapes in (1, 4, 7):
        until(f"more than {scrapes} scrapes", lambda: ask(f"count_over_time(up[1m]) > {scrapes}"))
        server.work()
    until("a scrape of all that work", lambda: ask("changes(lokikv_checkpoints_completed_total[1m]) > 1"))
    queries = dashboard_queries()
    empty = [query for query in queries if not ask(query)]
    assert not empty, "the dashboard asks in vain: " + "\n".join(empty)
    nan = [query for query in queries if all(sample["value"][1] == "NaN" for sample in ask(query))]
    assert not nan, "not a number: " + "\n".join(nan)
    print(f"ok   the dashboard's {len(queries)} queries are answered")
    # A rule answers when it fires; what it looks at is there at any time.
    looked_at = sorted(set().union(*(names(rule["expr"]) for rule in rules())) - {"redis_loading_dump_file"})
    missing = [name for name in looked_at if not ask(name)]
    assert not missing, f"alert rules look at what is not there: {missing}"
    alerts = json.loads(get(port, "/api/v1/alerts"))["data"]["alerts"]
    # A few seconds on a busy disk may look like the way to a full one; what is pending has not been for long.
    firing = [alert for alert in alerts if alert["state"] == "firing"]
    assert not firing, f"alerts for a server at its work: {firing}"
    loaded = json.loads(get(port, "/api/v1/rules"))["data"]["groups"][0]["rules"]
    assert len(loaded) == len(rules()) and all(rule["health"] == "ok" for rule in loaded), loaded
    print(f"ok   {len(loaded)} alert rules look at {len(looked_at)} names, and none fires")


def check_rules() -> None:
    run("promtool", "check", "rules", RULES)
    run("promtool", "check", "config", ROOT / "deploy/prometheus/prometheus.yml")
    run("promtool", "test", "rules", ROOT / "tests/packages/alerts.yml")
    tested = set(re.findall(r"alertname: (\w+)\n", (ROOT / "tests/packages/alerts.yml").read_text()))
    assert tested == {rule["alert"] for rule in rules()}, "an alert without a test that it fires"
    print("ok   promtool check rules, check config, test rules")


def check_grafana_and_prometheus(compose: dict, http_port: int) -> None:
    """They look for each other, and for the server, where compose.yaml has put them."""
    provisioning = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert urllib.parse.urlsplit(source["url"]).hostname == "prometheus" and "prometheus" in compose["services"], source
    (provider,) = yaml.safe_load((provisioning / "dashboards/lokikv.yml").read_text())["providers"]
    grafana = compose["services"]["grafana"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    mounted = [volume.split(":")[1] for volume in grafana["volumes"]]
    assert home in mounted and home.startswith(provider["options"]["path"] + "/"), (home, mounted, provider)
    (job,) = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"lokikv:{http_port}"]}] and "lokikv" in compose["services"], job


def check_deployments(server: Server, place: Path) -> None:
    documents = {each["kind"]: each for each in yaml.safe_load_all(STATEFUL_SET.read_text())}
    container = documents["StatefulSet"]["spec"]["template"]["spec"]["containers"][0]
    for probe in ("livenessProbe", "readinessProbe"):
        get(server.http, container[probe]["httpGet"]["path"])
    compose = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    images = {container["image"], compose["services"]["lokikv"]["image"]}
    assert images == {f"lokikv:{version}"}, images
    for service in compose["services"].values():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), f"{service['image']} is not pinned"
    config = documents["Secret"]["stringData"]["config.toml"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    for name, text in [("kubernetes", config), ("docker", (ROOT / "docker/config.toml").read_text())]:
        path = place / f"{name}.toml"
        path.write_text(text)
        run(server.binary, "--config", path, "--check-config")
        parsed = tomllib.loads(text)
        assert parsed["http"]["port"] == ports["http"] and parsed["server"]["port"] == ports["redis"], parsed
        assert parsed["storage"]["data_dir"].startswith("/data"), parsed
    check_grafana_and_prometheus(compose, ports["http"])
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / "docker" / source).exists(), source
            else:
                assert source in compose["volumes"], source
    print("ok   probes, configurations of the containers, mounts of compose.yaml")


def main() -> None:
    binary = Path(sys.argv[1]).resolve()
    started = time.monotonic()
    check_rules()
    server = Server(binary)
    with tempfile.TemporaryDirectory(prefix="lokikv-monitoring.") as name:
        place = Path(name)
        with program(place, *server.command(place)):
            until("the server is ready", lambda: get(server.http, "/readyz"))
            server.work()
            check_scrape(server)
            check_deployments(server, place)
            port = free_port()
            with program(
                place,
                "prometheus",
                f"--config.file={prometheus_config(server, place)}",
                f"--storage.tsdb.path={place / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ):
                until("Prometheus is ready", lambda: get(port, "/-/ready"))
                check_queries(server, port)
    print(f"monitoring: ok, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
