{{/* Fields of a Service that are handed on as they are. */}}
{{- define "tidegate.service.fields" -}}
{{- include "tidegate.fields" (list . (list "clusterIP" "clusterIPs" "externalIPs" "loadBalancerIP" "loadBalancerSourceRanges" "loadBalancerClass" "externalTrafficPolicy" "healthCheckNodePort" "sessionAffinity" "trafficDistribution" "ipFamilyPolicy" "ipFamilies")) | trim -}}
{{- end -}}

{{/* The type of the internal Service: of controller.service. */}}
{{- define "tidegate.service.internal.type" -}}
{{- default .type .internal.type -}}
{{- end -}}

{{/* Whether there would be a load balancer for it that nothing tells to be inside: most clouds open one to everybody. */}}
{{- define "tidegate.service.internal.open" -}}
{{- $internal := .internal -}}
{{- $balanced := eq "LoadBalancer" (include "tidegate.service.internal.type" .) -}}
{{- if and .enabled $internal.enabled $balanced (not $internal.annotations) (not $internal.loadBalancerClass) }}true{{ end -}}
{{- end -}}

{{/* The spec of a Service of the traffic: (root, its values). */}}
{{- define "tidegate.service.spec" -}}
{{- $root := first . -}}
{{- $service := last . -}}
{{- $both := $root.Values.controller.service -}}
{{- $onNodes := has $service.type (list "NodePort" "LoadBalancer") -}}
type: {{ $service.type }}
{{ include "tidegate.service.fields" $service }}
{{- if and (eq $service.type "LoadBalancer") (kindIs "bool" $service.allocateLoadBalancerNodePorts) }}
allocateLoadBalancerNodePorts: {{ $service.allocateLoadBalancerNodePorts }}
{{- end }}
ports:
  {{- range $name := list "http" "https" }}
  {{- if get $both (ternary "enableHttp" "enableHttps" (eq $name "http")) }}
  - name: {{ $name }}
    port: {{ get $service.ports $name }}
    targetPort: {{ get $service.targetPorts $name }}
    protocol: TCP
    {{- if $service.appProtocol }}
    appProtocol: {{ $name }}
    {{- end }}
    {{- with and $onNodes (get $service.nodePorts $name) }}
    nodePort: {{ . }}
    {{- end }}
  {{- end }}
  {{- end }}
  {{- range $transport := list "tcp" "udp" }}
  {{- range $port, $_ := default dict (get $root.Values $transport) }}
  - name: {{ include "tidegate.services.port" (list $root $transport $port) }}
    port: {{ $port }}
    targetPort: {{ include "tidegate.services.port" (list $root $transport $port) }}
    protocol: {{ upper $transport }}
    {{- with and $onNodes (get (default dict (get $service.nodePorts $transport)) (toString $port)) }}
    nodePort: {{ . }}
    {{- end }}
  {{- end }}
  {{- end }}
selector: {{- include "tidegate.selectorLabels" $root | nindent 2 }}
{{- end -}}
