{{/*
Values of ingress-nginx's chart that are accepted and change nothing; those that are set, to something else than that
chart's default (the third item, where it has one), are named in the notes.
*/}}
{{- define "tidegate.ignored" -}}
{{- $values := .Values -}}
{{- $ignored := list
  (list "controller.admissionWebhooks.enabled" "there is no admission webhook yet; problems are Events and on /problems")
  (list "controller.autoscaling.enabled" "this chart makes no autoscaler yet")
  (list "controller.autoscalingTemplate" "this chart makes no autoscaler yet")
  (list "controller.keda.enabled" "this chart makes no autoscaler yet")
  (list "controller.metrics.serviceMonitor.enabled" "this chart makes no ServiceMonitor yet")
  (list "controller.metrics.prometheusRule.enabled" "this chart makes no PrometheusRule yet")
  (list "controller.service.internal.enabled" "this chart makes one Service yet")
  (list "defaultBackend.enabled" "unknown hosts get a short 404; extraArgs.default-backend-service names a Service instead")
  (list "controller.reportNodeInternalIp" "the status takes addresses of a Service, or those of extraArgs.publish-status-address")
  (list "controller.enableTopologyAwareRouting" "endpoints of all zones are used alike")
  (list "controller.electionID" "there is no leader election yet")
  (list "controller.electionTTL" "there is no leader election yet")
  (list "controller.disableLeaderElection" "there is no leader election yet")
  (list "controller.lifecycle" "no hook is needed: a Pod told to leave goes on accepting for a while by itself")
  (list "controller.customTemplate.configMapName" "there is no nginx.conf")
  (list "controller.extraModules" "there are no nginx modules")
  (list "controller.enableMimalloc" "it concerns nginx")
  (list "controller.maxmindLicenseKey" "there is no GeoIP")
  (list "controller.enableAnnotationValidations" "annotations are always checked" "true")
  (list "controller.healthCheckPath" "the probes are /healthz and /readyz" "/healthz")
  (list "controller.healthCheckHost" "the probes are for every host")
  (list "controller.hostname" "Pods keep the name that their Deployment gives them")
  (list "dhParam" "TLS 1.2 is served with elliptic curves only")
  (list "controller.image.chroot" "the image holds one binary; there is nothing to keep apart")
  (list "controller.image.image" "controller.image.repository names the image")
  (list "controller.image.registry" "controller.image.repository names the image")
  (list "global.image.registry" "controller.image.repository names the image")
-}}
{{- range $ignored -}}
{{- $path := index . 0 -}}
{{- $at := $values -}}
{{- range splitList "." $path -}}
{{- $at = ternary (get (ternary $at dict (kindIs "map" $at)) .) "" (kindIs "map" $at) -}}
{{- end -}}
{{- if and $at (ne (toString $at) (join "" (slice . 2))) }}
  {{ $path }}: {{ index . 1 }}
{{- end -}}
{{- end -}}
{{- end -}}
