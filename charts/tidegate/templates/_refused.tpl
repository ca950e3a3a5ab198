{{/*
Values of ingress-nginx's chart that are refused: without them something would stand open, or traffic be lost, and nobody
would see it.
*/}}
{{- define "tidegate.refuse" -}}
{{- $controller := .Values.controller -}}
{{- if not $controller.image.repository -}}
{{- fail "controller.image.repository is required: there is no public image. Build one (make image), load or push it, and name it here." -}}
{{- end -}}
{{- if not (has $controller.kind (list "Deployment" "DaemonSet")) -}}
{{- fail (printf "controller.kind is %q: it is Deployment or DaemonSet." $controller.kind) -}}
{{- end -}}
{{- $refused := list
  (list $controller.allowSnippetAnnotations "controller.allowSnippetAnnotations" "there is no nginx to run snippets, and a rule that one enforces would not hold. Ingresses with snippets are reported, see /problems")
  (list $controller.hostNetwork "controller.hostNetwork" "without root, ports 80 and 443 need a kernel setting that exists in a Pod's own network only. Use controller.hostPort.enabled")
  (list (($controller.networkPolicy).enabled) "controller.networkPolicy.enabled" "this chart makes no NetworkPolicy yet, and nobody should believe in one that is not there")
  (list $controller.configMapNamespace "controller.configMapNamespace" "the ConfigMap of settings stands in the release's namespace")
  (list (($controller.tcp).configMapNamespace) "controller.tcp.configMapNamespace" "the ConfigMap of TCP services stands in the release's namespace")
  (list (($controller.udp).configMapNamespace) "controller.udp.configMapNamespace" "the ConfigMap of UDP services stands in the release's namespace")
  (list $controller.proxySetHeaders "controller.proxySetHeaders" "these headers are not sent yet, and backends may rely on them")
  (list $controller.addHeaders "controller.addHeaders" "these headers are not sent yet, and browsers may rely on them")
  (list .Values.rbac.scope "rbac.scope" "IngressClasses are cluster-wide: reading them needs a ClusterRole. controller.scope.enabled bounds everything else")
-}}
{{- range $refused -}}
{{- if index . 0 -}}
{{- fail (printf "%s is not supported: %s." (index . 1) (index . 2)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
