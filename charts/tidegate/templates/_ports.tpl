{{/* The TCP and UDP services as ports: a JSON list of (value, protocol, port). */}}
{{- define "tidegate.ports.services" -}}
{{- $ports := list -}}
{{- range $transport := list "tcp" "udp" -}}
{{- range $port, $_ := default dict (get $.Values $transport) -}}
{{- $ports = append $ports (list (printf "%s.%s" $transport $port) (upper $transport) $port) -}}
{{- end -}}
{{- end -}}
{{- toJson $ports -}}
{{- end -}}

{{/* What listens in the Pod, likewise. */}}
{{- define "tidegate.ports.pod" -}}
{{- $controller := .Values.controller -}}
{{- $ports := list
  (list "controller.containerPort.http" "TCP" (include "tidegate.port" (list . "http")))
  (list "controller.containerPort.https" "TCP" (include "tidegate.port" (list . "https")))
  (list "controller.metrics.port" "TCP" (include "tidegate.port" (list . "healthz")))
-}}
{{- if $controller.split -}}
{{- $ports = append $ports (list "controller.metrics.controllerPort" "TCP" $controller.metrics.controllerPort) -}}
{{- end -}}
{{- if $controller.admissionWebhooks.enabled -}}
{{- $ports = append $ports (list "controller.admissionWebhooks.port" "TCP" $controller.admissionWebhooks.port) -}}
{{- end -}}
{{- concat $ports (include "tidegate.ports.services" . | fromJsonArray) | toJson -}}
{{- end -}}

{{/* What of it is opened on the node, likewise. */}}
{{- define "tidegate.ports.host" -}}
{{- $host := .Values.controller.hostPort -}}
{{- $ports := list (list "controller.hostPort.ports.http" "TCP" $host.ports.http) (list "controller.hostPort.ports.https" "TCP" $host.ports.https) -}}
{{- ternary (concat $ports (include "tidegate.ports.services" . | fromJsonArray)) list (not (empty $host.enabled)) | toJson -}}
{{- end -}}

{{/* The ports of a Service of the traffic, likewise: (root, name of its values, its ports). */}}
{{- define "tidegate.ports.service" -}}
{{- $root := first . -}}
{{- $name := index . 1 -}}
{{- $ports := list -}}
{{- range $scheme, $enabled := dict "http" $root.Values.controller.service.enableHttp "https" $root.Values.controller.service.enableHttps -}}
{{- if $enabled -}}
{{- $ports = append $ports (list (printf "%s.ports.%s" $name $scheme) "TCP" (get (last $) $scheme)) -}}
{{- end -}}
{{- end -}}
{{- concat $ports (include "tidegate.ports.services" $root | fromJsonArray) | toJson -}}
{{- end -}}

{{/* Two of one port: the Pod would not get ready, or the API server refuse the object. */}}
{{- define "tidegate.refuse.ports" -}}
{{- $service := .Values.controller.service -}}
{{- $metrics := .Values.controller.metrics -}}
{{- $places := dict "the Pod" (include "tidegate.ports.pod" .) "the node" (include "tidegate.ports.host" .) -}}
{{- if and $service.enabled $service.external.enabled -}}
{{- $_ := set $places "the Service" (include "tidegate.ports.service" (list . "controller.service" $service.ports)) -}}
{{- end -}}
{{- if and $service.enabled $service.internal.enabled -}}
{{- $ports := merge (dict) (default dict $service.internal.ports) $service.ports -}}
{{- $_ := set $places "the internal Service" (include "tidegate.ports.service" (list . "controller.service.internal" $ports)) -}}
{{- end -}}
{{- if and $metrics.enabled $metrics.service.enabled .Values.controller.split -}}
{{- $ports := list (list "controller.metrics.service.servicePort" "TCP" $metrics.service.servicePort) (list "controller.metrics.controllerPort" "TCP" $metrics.controllerPort) -}}
{{- $_ := set $places "the Service of the metrics" (toJson $ports) -}}
{{- end -}}
{{- range $place, $ports := $places -}}
{{- $taken := dict -}}
{{- range $ports | fromJsonArray -}}
{{- $port := printf "%s port %s" (index . 1) (include "tidegate.text" (last .)) -}}
{{- if hasKey $taken $port -}}
{{- fail (printf "%s and %s are both %s of %s: move one of them." (get $taken $port) (first .) $port $place) -}}
{{- end -}}
{{- $_ := set $taken $port (first .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What listens in the Pod, for people: 80, 53/UDP. */}}
{{- define "tidegate.ports.taken" -}}
{{- $taken := list -}}
{{- range include "tidegate.ports.pod" . | fromJsonArray -}}
{{- $taken = append $taken (printf "%s%s" (last . | include "tidegate.text") (ternary "/UDP" "" (eq "UDP" (index . 1)))) -}}
{{- end -}}
{{- join ", " $taken -}}
{{- end -}}
