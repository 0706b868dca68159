// Tests with Go's own test runner. Run: go test
package shop

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

var url string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	fake := exec.Command("couchfake", "serve", "--port", "0", "--control")
	fake.Stderr = os.Stderr
	out, err := fake.StdoutPipe()
	if err == nil {
		err = fake.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer fake.Wait()
	defer fake.Process.Signal(os.Interrupt)
	line, _ := bufio.NewReader(out).ReadString('\n') // its URL, as soon as it answers
	url = strings.TrimSpace(line)
	return m.Run()
}

func ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func reset(t *testing.T) {
	t.Helper()
	if status, text := ask(t, "POST", "_couchfake/reset", "{}"); status != 200 {
		t.Fatal(text)
	}
}

func TestADocumentIsStored(t *testing.T) {
	reset(t)
	ask(t, "PUT", "shop", "")
	ask(t, "PUT", "shop/tea", `{"price": 3}`)
	if _, text := ask(t, "GET", "shop/tea", ""); !strings.Contains(text, `"price":3`) {
		t.Error(text)
	}
}

func TestEveryTestBeginsWithAnEmptyServer(t *testing.T) {
	reset(t)
	if status, _ := ask(t, "GET", "shop", ""); status != 404 {
		t.Error(status)
	}
}

func TestTheServerIsDownForOneRequest(t *testing.T) {
	reset(t)
	ask(t, "POST", "_couchfake/faults", `{"fault": "refuse", "status": 503, "path": "/shop", "times": 1}`)
	if status, _ := ask(t, "PUT", "shop", ""); status != 503 {
		t.Error(status)
	}
	if status, _ := ask(t, "PUT", "shop", ""); status != 201 {
		t.Error(status)
	}
}
